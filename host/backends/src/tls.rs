//! The cryptography of TLS: one provider per process, which rustls asks for and does not choose by itself here.

use std::sync::Once;

/// Makes ring the process's provider, unless the program has chosen one before. What larder itself connects to asks for
/// it; a program that builds a client of `reqwest` needs it too, since larder's features switch its own choice off.
/// Cheap to call again.
pub fn choose_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::debug!("the process has a TLS provider already");
        }
    });
}
