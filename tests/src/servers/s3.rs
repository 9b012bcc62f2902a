//! An S3 server in this process: `s3s-fs` behind a real HTTP server on the loopback.
//!
//! The emulator alone is no S3: it checks a condition and writes afterwards, and answers for an upload that is
//! complete as for one of somebody else's. [`Atomic`] puts that right, so that a case that fails is larder's fault.
//! A [`Script`] makes it fail on purpose, at the request that a test names.

mod atomic;
mod script;

use std::{net::SocketAddr, path::Path, sync::Arc, thread};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet};

pub use self::{
    atomic::Atomic,
    script::{Fault, Script},
};

/// The access key that the server takes, and its secret.
pub const ACCESS_KEY: &str = "larder-access-key";
/// See [`ACCESS_KEY`].
pub const SECRET_KEY: &str = "larder-secret-key";

/// A running server. Dropped, it is gone, connections and objects included.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    script: Arc<Script>,
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl S3Server {
    /// Starts a server without buckets, on a thread of its own.
    ///
    /// # Errors
    /// Where the loopback or a temporary folder can't be used.
    pub fn start() -> Result<Self, String> {
        let said = |error: std::io::Error| format!("no S3 server: {error}");
        let folder = tempfile::tempdir().map_err(said)?;
        let service = service(folder.path())?;
        let script = Arc::new(Script::default());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(said)?;
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(said)?;
        listener.set_nonblocking(true).map_err(said)?;
        let address = listener.local_addr().map_err(said)?;
        let (stop, stopped) = oneshot::channel();
        let scripted = Arc::clone(&script);
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = serve(listener, service, scripted) => {}
                    // Also where the other half is gone.
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Ok(Self { address, script, folder, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it is to do wrong.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Makes a bucket, which to `s3s-fs` is a folder.
    ///
    /// # Panics
    /// Where the bucket is there or can't be made.
    #[expect(clippy::expect_used, reason = "a suite can't go on without its bucket")]
    pub fn make_bucket(&self, name: &str) {
        std::fs::create_dir(self.folder.path().join(name)).expect("a new bucket");
    }

    /// How many uploads in parts were begun and neither completed nor aborted.
    pub fn unfinished_uploads(&self) -> usize {
        let entries = std::fs::read_dir(self.folder.path()).into_iter().flatten().flatten();
        let name = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        entries.filter(|entry| name(entry).starts_with(".upload-")).count()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server has been printed.
            drop(thread.join());
        }
    }
}

/// Serves a folder in this process until it ends: the server of a process of its own.
///
/// # Errors
/// Where the loopback or the folder can't be used.
pub async fn serve_folder(folder: &Path, listener: TcpListener) -> Result<(), String> {
    serve(listener, service(folder)?, Arc::new(Script::default())).await;
    Ok(())
}

fn service(folder: &Path) -> Result<S3Service, String> {
    let files = s3s_fs::FileSystem::new(folder).map_err(|error| format!("no S3 server: {error:?}"))?;
    let mut builder = S3ServiceBuilder::new(Atomic::new(files));
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    Ok(builder.build())
}

async fn serve(listener: TcpListener, service: S3Service, script: Arc<Script>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A client that went away before it was accepted.
                let Ok((stream, _)) = accepted else { continue };
                let (service, script) = (service.clone(), Arc::clone(&script));
                connections.spawn(async move {
                    let answered = service_fn(move |request: hyper::Request<Incoming>| {
                        let (service, script) = (service.clone(), Arc::clone(&script));
                        async move {
                            let answer = script::answer(&service, &script, request).await;
                            answer.map_err(std::io::Error::other)
                        }
                    });
                    // Ends in an error where the client goes away or the script cuts the connection.
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), answered).await);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
