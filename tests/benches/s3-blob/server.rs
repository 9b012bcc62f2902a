//! The server, as a process of its own: the bench starts itself as one.

use std::{
    io::{self, BufRead as _, Read as _, Write as _},
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
};

use larder_tests::servers::s3::serve_folder;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// The one bucket.
pub(crate) const BUCKET: &str = "bench";

const FLAG: &str = "--serve-s3-of-folder";

/// What to serve, if this process was started to.
pub(crate) fn folder() -> Option<PathBuf> {
    let mut arguments = std::env::args().skip_while(|argument| argument != FLAG);
    arguments.nth(1).map(PathBuf::from)
}

/// Serves until the other side closes the standard input.
pub(crate) fn serve(folder: &std::path::Path) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
    else {
        return ExitCode::FAILURE;
    };
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        writeln!(io::stdout(), "http://{address}").map_err(|error| error.to_string())?;
        let closed = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
        tokio::select! {
            served = serve_folder(folder, listener) => served,
            _ = closed => Ok(()),
        }
    });
    runtime.shutdown_background();
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The process. Dropped, it ends.
pub(crate) struct Server {
    child: Child,
    endpoint: String,
    _folder: TempDir,
}

impl Server {
    pub(crate) fn start() -> io::Result<Self> {
        // On the disk that the workspace is on: a temporary folder may be memory, which is not to be measured.
        let target = larder_tests::workspace_root().join("target");
        std::fs::create_dir_all(&target)?;
        let folder = tempfile::tempdir_in(target)?;
        std::fs::create_dir(folder.path().join(BUCKET))?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg(FLAG)
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut endpoint = String::new();
        if let Some(stdout) = &mut child.stdout {
            io::BufReader::new(stdout).read_line(&mut endpoint)?;
        }
        Ok(Self { child, endpoint: endpoint.trim().to_owned(), _folder: folder })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let ended = self.child.wait();
        assert!(ended.is_ok() || std::thread::panicking(), "the server did not end");
    }
}
