//! Text with `*` for any text: how tests write what they expect.

/// Whether the whole of `text` is as `pattern` has it.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(head) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            // What follows the last `*` is the end, wherever it occurs before.
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(at) => left = left.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn an_asterisk_stands_for_any_text_and_nothing_else_does() {
        for (pattern, text) in [
            ("a", "a"),
            ("*", ""),
            ("*", "a b"),
            ("a*c", "abcc"),
            ("a*b*c", "a-b-b-c"),
            ("put *=1*", "put k=1 x"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("a", "ab"),
            ("", "a"),
            ("a*", "ba"),
            ("*a", "ab"),
            ("a*b*c", "a-c-b"),
            ("ab*ba", "aba"),
            ("a.c", "abc"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
