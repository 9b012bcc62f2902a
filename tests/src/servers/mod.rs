//! Real servers for the suites: each on a free port of the loopback, in a folder of its own, and gone with the value
//! that owns it, also where the test fails, panics or is killed.
//!
//! A server that can't be started is a failed test, never a skipped one; what it printed is in the error.

pub mod etcd;
pub mod memcached;
pub mod moto;
pub mod s3;

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{LazyLock, mpsc},
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process},
};

pub mod postgres;
pub mod redis;

/// Longest wait for a server to answer: a cold start on a machine with one busy core takes seconds.
const READY_MAX: Duration = Duration::from_secs(60);
/// Between two looks at a server that is starting.
const LOOK: Duration = Duration::from_millis(20);
/// How much of a server's output an error shows, in bytes.
const LOG_SHOWN_BYTES: usize = 4 << 10;

/// A running server process. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program; what it prints goes to the end of `log`.
    ///
    /// Where the system can (`setpriv`), the process dies with this one, whatever this one dies of. As `user`, where
    /// one is given: some servers refuse to run as root.
    ///
    /// # Errors
    /// Where the program can't be started.
    pub fn start(
        program: &Path,
        arguments: &[String],
        folder: &Path,
        log: &Path,
        user: Option<&str>,
    ) -> Result<Self, String> {
        let mut command = with_parent(program, user);
        let output = File::options().create(true).append(true).open(log).map_err(|e| said(log, &e))?;
        let errors = output.try_clone().map_err(|e| said(log, &e))?;
        command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = spawn(command).map_err(|e| said(program, &e))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Waits until `ready` holds.
    ///
    /// # Errors
    /// Where the process ends before, or it takes longer than a minute; with what it printed.
    pub fn wait_until(&mut self, what: &str, mut ready: impl FnMut() -> bool) -> Result<(), String> {
        let looks = READY_MAX.as_millis() / LOOK.as_millis();
        for _ in 0..looks {
            if ready() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("{what}: the server ended with {status}; it said:\n{}", self.output()));
            }
            pause();
        }
        Err(format!("{what}: not within {READY_MAX:?}; the server said:\n{}", self.output()))
    }

    /// The end of what the process printed.
    pub fn output(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let from = bytes.len().saturating_sub(LOG_SHOWN_BYTES);
        String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process with SIGKILL and waits for its end.
    pub fn kill(&mut self) {
        // Both fail only where it has ended before, which is what is asked for.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Stops the process where it stands (SIGSTOP), so that its connections stay and nothing answers.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a stopped process go on (SIGCONT).
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks the process to end (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// Where its end can't be waited for.
    pub fn terminate(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::TERM);
        self.child.wait()
    }

    /// Interrupts the process (SIGINT), which servers take for "end at once, but in order".
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Waits for the process's end.
    ///
    /// # Errors
    /// Where it can't be waited for.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let sent = pid.map(|pid| kill_process(pid, signal));
        assert!(matches!(sent, Some(Ok(()) | Err(Errno::SRCH))), "the server can't be signalled: {sent:?}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port of the loopback that nothing listens on now.
///
/// # Errors
/// Where there is none.
pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| format!("no free port: {e}"))?;
    Ok(listener.local_addr().map_err(|e| format!("no free port: {e}"))?.port())
}

/// Whether something listens on a port of the loopback.
pub fn listens(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// Where a program is, on the `PATH` or in one of these folders.
///
/// # Errors
/// Where it is nowhere; says what to install.
pub fn find(program: &str, folders: &[PathBuf], package: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = folders.iter().cloned().chain(std::env::split_paths(&path));
    places.find_map(|folder| Some(folder.join(program)).filter(|file| file.is_file())).ok_or_else(|| {
        format!("`{program}` is not on this machine; `cargo xtask test` installs it (package {package})")
    })
}

/// A command that dies with this process.
fn with_parent(program: &Path, user: Option<&str>) -> Command {
    let Ok(setpriv) = find("setpriv", &[], "util-linux") else { return Command::new(program) };
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL"]);
    if let Some(user) = user {
        command.args([format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()]);
    }
    command.arg("--").arg(program);
    command
}

type Job = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts a child from a thread that never ends: a child that is to die with its parent dies with the *thread*
/// that started it.
fn spawn(command: Command) -> io::Result<Child> {
    static JOBS: LazyLock<mpsc::Sender<Job>> = LazyLock::new(|| {
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, answer) in queue {
                // Nobody waits any more: the child is dropped, and dies with this process.
                drop(answer.send(command.spawn()));
            }
        });
        jobs
    });
    let (answer, started) = mpsc::channel();
    let gone = || io::Error::other("the thread that starts servers is gone");
    JOBS.send((command, answer)).map_err(|_| gone())?;
    started.recv().map_err(|_| gone())?
}

#[expect(clippy::disallowed_methods, reason = "a process that starts can only be looked at again")]
fn pause() {
    std::thread::sleep(LOOK);
}

fn said(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}
