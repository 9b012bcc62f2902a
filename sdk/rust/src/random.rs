//! Random bytes from the host, fit for nonces and keys.

/// Fills `bytes` with random ones.
///
/// # Panics
/// Natively, where the machine has no source of randomness.
pub fn fill(bytes: &mut [u8]) {
    #[cfg(target_arch = "wasm32")]
    bytes.copy_from_slice(&wasip2::random::random::get_random_bytes(bytes.len() as u64));
    #[cfg(not(target_arch = "wasm32"))]
    {
        use std::io::Read;
        let read = std::fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(bytes));
        assert!(read.is_ok(), "no randomness: {read:?}");
    }
}
