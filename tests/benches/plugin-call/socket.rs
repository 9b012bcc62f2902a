//! The other way to isolate a plugin: a process on a Unix socket, asked for the same value. The bench starts itself
//! as that process; it ends when the socket closes.

use std::{
    collections::HashMap,
    io::{self, Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
};

use larder_core::Key;
use larder_tests::bench::Stopwatch;

const FLAG: &str = "--serve-on-socket";

/// What the process writes to its standard output once it listens.
const READY: &[u8; 6] = b"ready\n";

/// Where to serve, if this process was started to.
pub(crate) fn server_path() -> Option<PathBuf> {
    let mut arguments = std::env::args().skip_while(|argument| argument != FLAG);
    arguments.nth(1).map(PathBuf::from)
}

/// Answers gets until the peer goes away: a length and a key in, a length and a value out.
pub(crate) fn serve(path: &Path) -> ExitCode {
    let served = UnixListener::bind(path).and_then(|listener| {
        io::stdout().write_all(READY)?;
        let (mut peer, _) = listener.accept()?;
        let mut table: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
        while let Ok(key) = receive(&mut peer) {
            let size = usize::from(key.first().copied().unwrap_or_default());
            let value = table.entry(key).or_insert_with(|| vec![b'x'; size]);
            send(&mut peer, value)?;
        }
        Ok(())
    });
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The process and the connection to it.
pub(crate) struct Process {
    child: Child,
    stream: UnixStream,
    value_bytes: u8,
    _folder: tempfile::TempDir,
}

impl Process {
    /// Starts it; its values have `value_bytes` bytes.
    pub(crate) fn start(value_bytes: usize) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("socket");
        let mut child =
            Command::new(std::env::current_exe()?).arg(FLAG).arg(&path).stdout(Stdio::piped()).spawn()?;
        let mut ready = [0; READY.len()];
        if let Some(stdout) = &mut child.stdout {
            stdout.read_exact(&mut ready)?;
        }
        let stream = UnixStream::connect(&path)?;
        let value_bytes = u8::try_from(value_bytes).map_err(io::Error::other)?;
        Ok(Self { child, stream, value_bytes, _folder: folder })
    }

    /// Nanoseconds of a get, one at a time.
    pub(crate) fn get_each(&mut self, key: &Key, calls: u64) -> f64 {
        let mut request = vec![self.value_bytes];
        request.extend_from_slice(key.as_bytes());
        let watch = Stopwatch::start();
        for _ in 0..calls {
            let answer = send(&mut self.stream, &request).and_then(|()| receive(&mut self.stream));
            assert!(answer.is_ok_and(|value| value.len() == usize::from(self.value_bytes)));
        }
        watch.nanos_per(calls)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let closed = self.stream.shutdown(std::net::Shutdown::Both);
        let ended = closed.and_then(|()| self.child.wait());
        assert!(ended.is_ok() || std::thread::panicking(), "the process on the socket did not end");
    }
}

fn send(stream: &mut UnixStream, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut frame = length.to_le_bytes().to_vec();
    frame.extend_from_slice(bytes);
    stream.write_all(&frame)
}

fn receive(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}
