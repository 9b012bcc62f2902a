//! What a component states that it wants, in its custom sections `larder:wants`.
//!
//! Lines of UTF-8, written by the SDK: a kind, what of that kind, and why. A statement grants nothing and is believed in
//! nothing: it is there to be set against the grants of a configuration. What is no such line is left out, so that a component
//! of a later SDK can still be looked at.

use std::fmt;

use wasmparser::{Parser, Payload};

use crate::convert::printable;

/// The name of the custom sections.
const SECTION: &str = "larder:wants";
/// Most lines that are read of one component; more is no statement but a flood.
const LINES_MAX: usize = 64;
/// Longest line, in bytes; the rest is cut.
const LINE_BYTES_MAX: usize = 512;

/// Something that a component says it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// What of.
    pub kind: WantKind,
    /// What: a host and port, an origin, or `setting:NAME`; a folder's name in the guest, a variable, a setting.
    pub what: String,
    /// Why, for a person; may be empty.
    pub why: String,
}

/// What a component may want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WantKind {
    /// Connections to a host and port, or to what a setting names.
    Tcp,
    /// Requests by HTTP to an origin, or to what a setting names.
    Http,
    /// To read a folder.
    FolderRead,
    /// To read and write a folder.
    FolderReadWrite,
    /// An environment variable.
    Env,
    /// A setting that is a secret.
    Secret,
}

impl Want {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (word, what) = (words.next()?, words.next().filter(|what| !what.is_empty())?);
        let kind = match word {
            "tcp" => WantKind::Tcp,
            "http" => WantKind::Http,
            "env" => WantKind::Env,
            "secret" => WantKind::Secret,
            "folder" => match words.next()? {
                "read" => WantKind::FolderRead,
                "read-write" => WantKind::FolderReadWrite,
                _ => return None,
            },
            _ => return None,
        };
        Some(Self { kind, what: what.to_owned(), why: words.collect::<Vec<_>>().join(" ") })
    }
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            WantKind::Tcp => write!(f, "tcp {}", self.what)?,
            WantKind::Http => write!(f, "http {}", self.what)?,
            WantKind::FolderRead => write!(f, "folder {} read", self.what)?,
            WantKind::FolderReadWrite => write!(f, "folder {} read-write", self.what)?,
            WantKind::Env => write!(f, "env {}", self.what)?,
            WantKind::Secret => write!(f, "secret {}", self.what)?,
        }
        if self.why.is_empty() { Ok(()) } else { write!(f, " {}", self.why) }
    }
}

/// The statements of a component that compiled, its modules' included.
pub(crate) fn of(component: &[u8]) -> Vec<Want> {
    let sections = Parser::new(0).parse_all(component).filter_map(|payload| match payload {
        Ok(Payload::CustomSection(section)) if section.name() == SECTION => Some(section.data()),
        _ => None,
    });
    let lines = sections.flat_map(|data| data.split(|b| *b == b'\n')).filter(|line| !line.is_empty());
    lines
        .take(LINES_MAX)
        .filter_map(|line| Want::parse(&printable(&String::from_utf8_lossy(line), LINE_BYTES_MAX)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(sections: &[&[u8]]) -> Vec<u8> {
        let mut bytes = wat::parse_str("(component)").unwrap();
        for section in sections {
            let name = SECTION.as_bytes();
            let mut body = vec![u8::try_from(name.len()).unwrap()];
            body.extend_from_slice(name);
            body.extend_from_slice(section);
            // A custom section; its length in LEB128.
            bytes.push(0);
            let mut length = body.len();
            while length > 0x7f {
                bytes.push(0x80 | u8::try_from(length & 0x7f).unwrap());
                length >>= 7;
            }
            bytes.push(u8::try_from(length).unwrap());
            bytes.extend_from_slice(&body);
        }
        bytes
    }

    #[test]
    fn lines_are_read_back_as_they_are_written() {
        let lines = "tcp h:1 why it is so\nhttp https://h y\nfolder /data read-write\nfolder /d read x\nenv HOME\nsecret key y\n";
        let found = of(&component(&[lines.as_bytes(), b"tcp setting:address\n"]));
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(shown.join("\n"), format!("{lines}tcp setting:address"));
    }

    #[test]
    fn what_is_no_line_is_left_out_and_a_flood_is_cut() {
        let bad = b"\xff\xfe\ntcp\ntcp \nfolder /x\nfolder /x all\ngpu all\n\n\n";
        assert!(of(&component(&[bad])).is_empty());
        assert_eq!(of(&component(&["env A\n".repeat(1_000).as_bytes()])).len(), LINES_MAX);
        let long = of(&component(&[format!("env A {}\u{1b}[2J", "x".repeat(10_000)).as_bytes()]));
        assert!(long[0].why.len() <= LINE_BYTES_MAX + 16 && !long[0].why.contains('\u{1b}'));
        assert!(of(b"nonsense").is_empty());
    }
}
