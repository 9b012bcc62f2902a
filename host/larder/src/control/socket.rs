//! The Unix socket: a file that only the host's user can open, in a folder that only that user can enter.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use larder_core::{Error, ErrorKind, Result};
use tokio::net::{UnixListener, UnixStream};

/// A socket that is removed when it is dropped.
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    /// Who may ask besides root.
    pub(super) user: u32,
    pub(super) file: SocketFile,
}

pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Socket {
    /// Makes the socket. A folder that is missing is made, too; one that others can enter is refused.
    pub(super) async fn open(path: &Path) -> Result<Self> {
        let refuse = |message: &str| Error::config(message.to_owned()).with("socket", path.display());
        let failed = |e: io::Error| {
            Error::new(ErrorKind::Unavailable, "the control socket can't be made")
                .with("socket", path.display())
                .caused_by(e)
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let about = fs::metadata(folder).map_err(failed)?;
        if about.mode() & 0o077 != 0 {
            return Err(refuse("others can enter the folder of the control socket; give it the mode 700"));
        }
        if let Ok(there) = fs::symlink_metadata(path) {
            if !there.file_type().is_socket() {
                return Err(refuse("what is in the place of the control socket is no socket"));
            }
            // Left by a process that was killed, unless somebody answers.
            if UnixStream::connect(path).await.is_ok() {
                return Err(Error::new(ErrorKind::Unavailable, "another host listens at the control socket")
                    .with("socket", path.display()));
            }
            fs::remove_file(path).map_err(failed)?;
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let about = fs::metadata(path).map_err(failed)?;
        let file = SocketFile { path: path.to_owned(), inode: about.ino() };
        Ok(Self { listener, user: about.uid(), file })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Unless another one has taken its place.
        let own = fs::symlink_metadata(&self.path).is_ok_and(|there| there.ino() == self.inode);
        if own && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(socket = %self.path.display(), %error, "the control socket could not be removed");
        }
    }
}
