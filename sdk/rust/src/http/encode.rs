//! Text in paths.

/// A text as it stands in one segment of a path or a value of a query: everything but letters, digits, `-`, `.`, `_` and `~` is
/// percent-encoded, `/` too.
///
/// A segment that is `.` or `..` must not be sent: no encoding protects it, since servers decode before they look.
///
/// ```
/// # use larder_sdk::http::encode_path;
/// assert_eq!(encode_path("a b/\u{fc}"), "a%20b%2F%C3%BC");
/// ```
#[must_use]
pub fn encode_path(text: &str) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    encoded
}
