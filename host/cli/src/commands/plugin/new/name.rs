//! Names of plugins: those that every language's registry takes for a package, and every system for a file.

/// Longest name, in bytes: what crates.io takes.
const NAME_BYTES_MAX: usize = 64;

/// Words of a language, or names of its own packages, that a package can't have.
const TAKEN: [&str; 72] = [
    // Rust: keywords, and crates that are always there.
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
    // Folders that builds make, and what the projects bring along.
    "build",
    "deps",
    "examples",
    "incremental",
    "target",
    "node-modules",
    "larder",
    "larder-sdk",
    "sdk",
    "wit",
    // Files that Windows can't have.
    "aux",
    "con",
    "nul",
    "prn",
    "com1",
    "lpt1",
];

/// The name of a plugin, which was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PluginName(String);

impl PluginName {
    /// Checks a name.
    ///
    /// # Errors
    /// What is wrong with it, and one that would do, where that can be told.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let rules = "a name is small letters, digits and single hyphens, and begins with a letter";
        if text.len() > NAME_BYTES_MAX {
            return Err(format!("it has {} bytes, more than {NAME_BYTES_MAX}", text.len()));
        }
        if TAKEN.contains(&text) {
            return Err(format!(
                "`{text}` is taken, as a package can't have this name; `kv-{text}` would do"
            ));
        }
        if is_name(text) {
            return Ok(Self(text.to_owned()));
        }
        let mended = mended(text);
        let suggestion = if is_name(&mended) && !TAKEN.contains(&&*mended) {
            format!("; `{mended}` would do")
        } else {
            String::new()
        };
        Err(format!("{rules}{suggestion}"))
    }

    /// As it was typed.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// As an identifier: `kv_shelf`.
    pub(super) fn module(&self) -> String {
        self.0.replace('-', "_")
    }
}

fn is_name(text: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('-').all(is_part)
}

/// The nearest name: what is no letter or digit becomes a hyphen.
fn mended(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let name = parts.collect::<Vec<_>>().join("-");
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("kv-{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_takes_passes() {
        for good in ["kv-shelf", "a", "s3", "blob-2-go"] {
            assert_eq!(PluginName::parse(good).unwrap().as_str(), good);
        }
        assert_eq!(PluginName::parse("kv-shelf").unwrap().module(), "kv_shelf");
    }

    #[test]
    fn what_it_does_not_is_refused_with_a_name_that_would_do() {
        for (bad, says) in [
            ("KvShelf", "`kvshelf` would do"),
            ("kv_shelf", "`kv-shelf` would do"),
            ("../kv", "`kv` would do"),
            ("kv--shelf", "`kv-shelf` would do"),
            ("-kv", "`kv` would do"),
            ("3d", "`kv-3d` would do"),
            ("kv shelf", "`kv-shelf` would do"),
            ("fn", "`kv-fn` would do"),
            ("wit", "is taken"),
            ("", "begins with a letter"),
            ("ü", "begins with a letter"),
            (&"a".repeat(65), "65 bytes"),
        ] {
            let why = PluginName::parse(bad).unwrap_err();
            assert!(why.contains(says), "{bad:?}: {why}");
        }
    }
}
