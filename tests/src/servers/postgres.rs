//! PostgreSQL: a server of its own for a test, that can be killed and started again on the same port and data.
//!
//! Making a data folder takes seconds, so one is made per target folder, and copied for each server. The server refuses to
//! run as root; as root it is run as `postgres`, the user that its package makes.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use tempfile::TempDir;

use super::{Process, find, free_port, listens, pause, said};

/// What Debian calls the package.
const PACKAGE: &str = "postgresql";
/// Starts of a server whose predecessor's sessions are still there: they notice within a second.
const STARTS_MAX: usize = 100;
/// The user that a server runs as where the suite runs as root.
const USER: &str = "postgres";
/// Who may do everything in the database.
pub const SUPERUSER: &str = "larder";
/// Its password, which no error may show.
pub const PASSWORD: &str = "correct-horse-battery";
/// The database that every server has.
pub const DATABASE: &str = "postgres";

/// A running server. Dropped, it is killed, and its data is gone.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: u16,
    folder: TempDir,
    settings: Vec<String>,
}

impl Postgres {
    /// Starts a server with an empty database, durable as it is by default.
    ///
    /// # Errors
    /// Where PostgreSQL is not installed, or does not start; with what it said.
    pub fn start() -> Result<Self, String> {
        Self::start_with(&[])
    }

    /// The same with settings, such as `max_connections=5`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(settings: &[&str]) -> Result<Self, String> {
        let template = TEMPLATE.as_ref().map_err(Clone::clone)?;
        let folder = folder()?;
        let data = folder.path().join("data");
        copy(template, &data)?;
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let port = free_port()?;
        let process = serve(folder.path(), port, &settings)?;
        Ok(Self { process, port, folder, settings })
    }

    /// The server's port on the loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's data folder, for certificates and the like.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A URL with the superuser's password.
    pub fn url(&self) -> String {
        url(self.port)
    }

    /// Ends the server with SIGKILL, as a crash does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops the server as an administrator who is in a hurry does: sessions are ended, data is written.
    ///
    /// # Errors
    /// Where its end can't be waited for.
    pub fn stop(&mut self) -> Result<(), String> {
        // SIGINT is PostgreSQL's fast shutdown.
        self.process.interrupt();
        self.process.wait().map(drop).map_err(|error| error.to_string())
    }

    /// Starts a server that was killed or stopped, on the same port and data.
    ///
    /// The sessions of a killed one live on until they notice, and may still write. The lock that it left behind is
    /// what keeps a new one from starting on the same data before they are gone, so it stays, and the start is tried
    /// until it is let through. (It was removed at first: one start in a few failed, and worse was possible.)
    ///
    /// # Errors
    /// Where it does not start; with what it said.
    pub fn restart(&mut self) -> Result<(), String> {
        let mut started = serve(self.folder.path(), self.port, &self.settings);
        for _ in 0..STARTS_MAX {
            if started.is_ok() {
                break;
            }
            pause();
            started = serve(self.folder.path(), self.port, &self.settings);
        }
        self.process = started?;
        Ok(())
    }

    /// The running process, to freeze and thaw.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

/// A URL of a server on this port of the loopback: its own, or a proxy's.
pub fn url(port: u16) -> String {
    format!("postgres://{SUPERUSER}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}")
}

/// Counted up where the lines below make another data folder than before.
const TEMPLATE_EDITION: u32 = 1;

/// The data folder that others are copied from. It stays in the target folder, for the next process: as a temporary folder
/// of a static it was never dropped, and each run left gigabytes behind.
static TEMPLATE: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let initdb = program("initdb")?;
    // Another version of PostgreSQL, in another folder, does not read it.
    let place: String = initdb.display().to_string().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let kept = crate::target_dir().join(format!("postgres{place}-{TEMPLATE_EDITION}"));
    if kept.is_dir() {
        return Ok(kept);
    }
    let folder = folder()?;
    let password = folder.path().join("password");
    fs::write(&password, PASSWORD).map_err(|error| said(&password, &error))?;
    own(&password)?;
    let arguments = [
        "--pgdata=data".to_owned(),
        format!("--username={SUPERUSER}"),
        "--pwfile=password".to_owned(),
        "--auth=scram-sha-256".to_owned(),
        "--encoding=UTF8".to_owned(),
        // Not the order of bytes: stores must not depend on the database's order of text.
        "--locale=C.UTF-8".to_owned(),
        "--no-sync".to_owned(),
    ];
    let log = folder.path().join("initdb.log");
    let mut process = Process::start(&initdb, &arguments, folder.path(), &log, user())?;
    let status = process.wait().map_err(|error| format!("initdb: {error}"))?;
    if !status.success() {
        return Err(format!("initdb failed; it said:\n{}", process.output()));
    }
    // Put in place whole, by a rename: several processes may be here at once, and the first one's counts.
    let mine = tempfile::tempdir_in(crate::target_dir()).map_err(|error| error.to_string())?;
    copy(&folder.path().join("data"), &mine.path().join("data"))?;
    match fs::rename(mine.path().join("data"), &kept) {
        Err(error) if !kept.is_dir() => Err(said(&kept, &error)),
        _ => Ok(kept),
    }
});

fn serve(folder: &Path, port: u16, settings: &[String]) -> Result<Process, String> {
    let mut arguments = vec![
        "-D".to_owned(),
        folder.join("data").display().to_string(),
        "-h".to_owned(),
        "127.0.0.1".to_owned(),
        "-p".to_owned(),
        port.to_string(),
        "-k".to_owned(),
        // No socket beside the port: two servers would meet in one folder.
        String::new(),
    ];
    for setting in settings {
        arguments.extend(["-c".to_owned(), setting.clone()]);
    }
    let log = folder.join("server.log");
    let mut process = Process::start(&program("postgres")?, &arguments, folder, &log, user())?;
    let pid = folder.join("data").join("postmaster.pid");
    // The last line of the file says whether the server takes sessions.
    process.wait_until("PostgreSQL", || {
        listens(port)
            && fs::read_to_string(&pid)
                .is_ok_and(|said| said.lines().last().is_some_and(|line| line.trim() == "ready"))
    })?;
    Ok(process)
}

fn program(name: &str) -> Result<PathBuf, String> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    find(name, &folders, PACKAGE)
}

/// A temporary folder that the server's user can work in.
fn folder() -> Result<TempDir, String> {
    let folder =
        tempfile::Builder::new().prefix("larder-pg-").tempdir().map_err(|error| error.to_string())?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))
        .map_err(|e| said(folder.path(), &e))?;
    own(folder.path())?;
    Ok(folder)
}

/// Who a server runs as, if not as we do.
fn user() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some(USER)
}

/// Gives a file to the server's user.
fn own(path: &Path) -> Result<(), String> {
    if user().is_none() {
        return Ok(());
    }
    let (uid, gid) = *IDS.as_ref().map_err(Clone::clone)?;
    chown(path, Some(uid), Some(gid)).map_err(|error| said(path, &error))
}

/// The numbers of the server's user and of its group.
static IDS: LazyLock<Result<(u32, u32), String>> = LazyLock::new(|| {
    let users = fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
    let line = users.lines().find(|line| line.split(':').next() == Some(USER));
    let mut numbers =
        line.into_iter().flat_map(|line| line.split(':').skip(2)).filter_map(|n| n.parse().ok());
    numbers.next().zip(numbers.next()).ok_or_else(|| format!("there is no user `{USER}` on this machine"))
});

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir(to).map_err(|error| said(to, &error))?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).map_err(|error| said(to, &error))?;
    own(to)?;
    for entry in fs::read_dir(from).map_err(|error| said(from, &error))? {
        let entry = entry.map_err(|error| said(from, &error))?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(|error| said(&entry.path(), &error))?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).map_err(|error| said(&target, &error))?;
            own(&target)?;
        }
    }
    Ok(())
}
