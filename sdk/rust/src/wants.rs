//! What a plugin states that it wants, in a custom section of its component.

/// States what a plugin wants, one text for each line; once or more in a component.
///
/// The section `larder:wants` is lines of UTF-8: a kind, what of that kind, and why, for a person. `larder plugin inspect`
/// reads it without running the plugin, and sets it against the grants of a configuration. It grants nothing.
///
/// | line | wants |
/// |---|---|
/// | `tcp setting:NAME why` | a connection to what the setting `NAME` says |
/// | `tcp HOST:PORT why` | a connection to that host and port |
/// | `http setting:NAME why` | requests by HTTP to the address that the setting `NAME` says |
/// | `http https://HOST why` | requests by HTTP to that origin |
/// | `folder /NAME read why` | to read the folder that it knows by that name; or `read-write` |
/// | `env NAME why` | an environment variable |
/// | `secret NAME why` | the setting `NAME`, which is a secret |
///
/// ```
/// larder_sdk::wants!("tcp setting:address the cache server", "secret password of the cache server");
/// ```
#[macro_export]
macro_rules! wants {
    ($($line:literal),+ $(,)?) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            const TEXT: &str = ::std::concat!($($line, "\n"),+);
            #[used]
            #[unsafe(link_section = "larder:wants")]
            static WANTS: [u8; TEXT.len()] = $crate::__private::section(TEXT);
        };
    };
}

/// The bytes of a section.
#[must_use]
pub const fn section<const N: usize>(text: &str) -> [u8; N] {
    match text.as_bytes().first_chunk() {
        Some(bytes) => *bytes,
        None => panic!("a section is as long as its text"),
    }
}
