//! Text that may refer to something else: `${VAR}` to an environment variable, `file:PATH` to the
//! content of a file. What it stands for is a secret until proven otherwise.

use std::fmt;

use larder_core::{Error, Result};

use super::{Environment, Origin};

/// Largest file that a reference may name, in bytes: keys and tokens are small.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Text as it was typed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl<'a> Text<'a> {
    /// Whether it names something else instead of being the value.
    pub(crate) fn is_reference(self) -> bool {
        self.file().is_some() || self.0.contains("${")
    }

    /// The path of a `file:` reference. A URL (`file://`) is none.
    fn file(self) -> Option<&'a str> {
        self.0.strip_prefix("file:").filter(|path| !path.starts_with("//"))
    }

    /// What the text stands for; a file's last line break is not part of it.
    ///
    /// # Errors
    /// `config` where the variable is missing or the file can't be read.
    pub(crate) fn resolve(self, environment: &Environment, origin: &Origin) -> Result<String> {
        let Some(path) = self.file() else {
            return self.expand(environment);
        };
        let path = origin.resolve(&Text(path).expand(environment)?);
        let refuse = |message: &str| Error::config(format!("{message}: {}", path.display()));
        let metadata = std::fs::metadata(&path)
            .map_err(|e| refuse("the file that the value refers to can't be read").caused_by(e))?;
        if metadata.len() > FILE_BYTES_MAX {
            return Err(refuse("the file that the value refers to is larger than 64 KiB"));
        }
        let mut text = std::fs::read_to_string(&path)
            .map_err(|e| refuse("the file that the value refers to can't be read as text").caused_by(e))?;
        let end = text.trim_end_matches(['\n', '\r']).len();
        text.truncate(end);
        Ok(text)
    }

    /// The text with variables put in: `${VAR}`; `$${` is a literal `${`.
    ///
    /// # Errors
    /// `config` where a variable is missing or a brace is left open.
    pub(crate) fn expand(self, environment: &Environment) -> Result<String> {
        let (mut rest, mut out) = (self.0, String::with_capacity(self.0.len()));
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            let inside = from.strip_prefix("${").unwrap_or_default();
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = inside;
                continue;
            }
            let (name, after) = inside.split_once('}').ok_or_else(|| {
                Error::config("a reference `${` without its `}`; write `$${` for a literal one")
            })?;
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(Error::config(
                    "expected the name of an environment variable between `${` and `}`; write `$${` for a literal one",
                ));
            }
            out.push_str(before);
            out.push_str(environment.required(name)?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// The reference itself; a literal is only said to be there.
impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        match whole {
            Some(name) if !name.contains(['$', '{', '}']) => f.write_str(self.0),
            _ if self.file().is_some() => f.write_str(self.0),
            _ => f.write_str("(set)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String> {
        Text(text).expand(&Environment::from_iter([("A", "1"), ("B", "${A}")]))
    }

    #[test]
    fn variables_are_put_in_once_and_can_be_escaped() {
        assert_eq!(expand("x${A}y${A}").unwrap(), "x1y1");
        assert_eq!(expand("${B}").unwrap(), "${A}", "a value is not expanded again");
        assert_eq!(expand("$${A} $A $").unwrap(), "${A} $A $");
        for bad in ["${C}", "${A", "${}", "${a b}"] {
            assert!(expand(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_is_no_reference() {
        assert!(!Text("file:///data").is_reference());
        assert!(Text("file:./key").is_reference());
    }
}
