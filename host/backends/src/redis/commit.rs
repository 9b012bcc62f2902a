//! A commit as arguments of its script, and the script's answer as outcomes.

use larder_core::{Change, Check, Commit, Error, Expectation, Outcome, Result, Timestamp, Version};
use redis::{Cmd, RedisWrite, ToRedisArgs, Value};

use super::{
    envelope::{Lasting, half_head},
    error::{Fault, Intent},
    layout::Layout,
    versions::Versions,
};

/// A commit with the versions that its writes will have.
#[derive(Debug)]
pub(super) struct Planned<'c> {
    commit: &'c Commit,
    versions: Vec<Version>,
}

impl<'c> Planned<'c> {
    pub(super) fn new(commit: &'c Commit, versions: &Versions) -> Self {
        Self { commit, versions: commit.writes.iter().map(|_| versions.next()).collect() }
    }

    pub(super) fn intent(&self) -> Intent {
        if self.commit.writes.is_empty() { Intent::Read } else { Intent::Write }
    }

    /// Whether `put.lua` can do it.
    pub(super) fn is_puts(&self) -> bool {
        let lasts = |write: &larder_core::Write| matches!(write.change, Change::Put { ttl: None, .. });
        self.commit.checks.is_empty() && self.commit.writes.iter().all(lasts)
    }

    /// Adds keys and arguments as `put.lua` takes them.
    pub(super) fn write_puts(&self, command: &mut Cmd, layout: &Layout) {
        let writes = &self.commit.writes;
        command.arg(1 + writes.len()).arg(&layout.index);
        for key in writes.iter().map(|write| &write.key) {
            command.arg(Name { layout, key });
        }
        command.arg(&layout.entries);
        for (write, version) in writes.iter().zip(&self.versions) {
            if let Change::Put { value, .. } = &write.change {
                command.arg(Lasting { version: *version, value });
            }
        }
    }

    /// Adds keys and arguments as `commit.lua` takes them.
    pub(super) fn write_arguments(&self, command: &mut Cmd, layout: &Layout, now: Option<Timestamp>) {
        let Commit { checks, writes } = self.commit;
        command.arg(3 + checks.len() + writes.len());
        command.arg(&layout.index).arg(&layout.expiries).arg(&layout.scratch);
        for key in checks.iter().map(|check| &check.key).chain(writes.iter().map(|write| &write.key)) {
            command.arg(Name { layout, key });
        }
        command.arg(&layout.entries);
        write_now(command, now);
        command.arg(checks.len());
        for Check { expect, .. } in checks {
            match expect {
                Expectation::Absent => command.arg("a"),
                Expectation::Present => command.arg("p"),
                Expectation::Version(version) => {
                    let [a, b, c, d, e, f, g, h] = version.0.to_be_bytes();
                    command.arg(&[b'v', a, b, c, d, e, f, g, h][..])
                }
            };
        }
        for (write, version) in writes.iter().zip(&self.versions) {
            match &write.change {
                Change::Put { value, ttl: None } => {
                    command.arg("p").arg(Lasting { version: *version, value })
                }
                Change::Put { value, ttl: Some(ttl) } => {
                    let millis = Timestamp(0).after(*ttl).0;
                    command.arg("t").arg(millis).arg(&half_head(*version)[..]).arg(&value[..])
                }
                Change::Delete => command.arg("d"),
                Change::Add(delta) => command.arg("a").arg(*delta).arg(&half_head(*version)[..]),
            };
        }
    }

    /// Reads the script's answer.
    pub(super) fn outcomes(&self, answer: &Value) -> Result<Vec<Outcome>> {
        let Value::Array(parts) = answer else { return Err(self.strange()) };
        match parts.as_slice() {
            [Value::Int(0), results @ ..] => self.written(results),
            [Value::Int(code), Value::Int(position)] => {
                let at = usize::try_from(*position - 1).map_err(|_| self.strange())?;
                Err(self.refused(*code, at))
            }
            _ => Err(self.strange()),
        }
    }

    fn written(&self, results: &[Value]) -> Result<Vec<Outcome>> {
        let mut results = results.iter();
        let outcome = |(write, version): (&larder_core::Write, &Version)| match write.change {
            Change::Put { .. } => Ok(Outcome::Written(*version)),
            Change::Delete => match results.next() {
                Some(Value::Int(existed)) => Ok(Outcome::Deleted(*existed == 1)),
                _ => Err(self.strange()),
            },
            Change::Add(_) => match results.next() {
                Some(Value::BulkString(sum)) => {
                    larder_core::counter::decode(sum).map(Outcome::Added).ok_or_else(|| self.strange())
                }
                _ => Err(self.strange()),
            },
        };
        self.commit.writes.iter().zip(&self.versions).map(outcome).collect()
    }

    fn refused(&self, code: i64, at: usize) -> Error {
        if code == 1 {
            let Some(check) = self.commit.checks.get(at) else { return self.strange() };
            let message = match check.expect {
                Expectation::Absent => "there is an entry",
                Expectation::Present => "there is no entry",
                Expectation::Version(_) => "the version is another",
            };
            return Error::conflict(message, &check.key);
        }
        let Some(write) = self.commit.writes.get(at) else { return self.strange() };
        let Change::Add(delta) = write.change else { return self.strange() };
        match code {
            2 => Error::invalid("the stored value is no counter"),
            3 => Error::invalid(format!("adding {delta} overflows")),
            _ => return self.strange(),
        }
        .with("key", &write.key)
    }

    fn strange(&self) -> Error {
        Fault::Strange("of a commit").into_error(self.intent())
    }
}

/// The name of an entry, written without being put together first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'n> {
    pub(super) layout: &'n Layout,
    pub(super) key: &'n str,
}

impl ToRedisArgs for Name<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        use std::io::Write;
        let mut argument = out.writer_for_next_arg();
        for part in [&self.layout.entries, self.key] {
            // It writes into memory, which does not fail.
            drop(argument.write_all(part.as_bytes()));
        }
    }
}

/// The time that scripts go by: an injected one, or nothing for the server's own.
pub(super) fn write_now(command: &mut Cmd, now: Option<Timestamp>) {
    match now {
        Some(now) => command.arg(now.0),
        None => command.arg(""),
    };
}
