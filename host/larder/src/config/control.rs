//! `control`: where a running host can be asked to list and to swap its plugins.

use std::fmt;

use larder_core::Result;

use super::{reference::Text, table::Table};

/// `control`. Without this section nobody can ask.
#[derive(Clone, Default, PartialEq)]
pub struct ControlSection {
    /// The file of a Unix socket, in a folder that nobody else can enter.
    pub socket: Option<String>,
    /// An address of the loopback and a port, such as `127.0.0.1:7070`; needs a token.
    pub listen: Option<String>,
    /// What a client must know: a reference, `${VAR}` or `file:PATH`.
    pub token: Option<String>,
}

impl fmt::Debug for ControlSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlSection")
            .field("socket", &self.socket)
            .field("listen", &self.listen)
            .field("token", &self.token.as_deref().map(|token| Text(token).to_string()))
            .finish()
    }
}

pub(super) fn read(root: &Table<'_>) -> Result<Option<ControlSection>> {
    root.table("control", &["socket", "listen", "token"], |table| {
        Ok(ControlSection {
            socket: table.text("socket")?,
            listen: table.text("listen")?,
            token: table.text("token")?,
        })
    })
}
