//! The one connection of a store, and its replacement when it breaks.
//!
//! All commands share it; none of them blocks the server. It is opened by whoever needs it first, and by one caller at
//! a time: others wait for that attempt and share its outcome. A command that may have been sent is never sent again
//! here, whatever became of it; one that a server *refused* because it is not the right one is, for it was not
//! executed.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use larder_core::{Error, Result};
use redis::{Cmd, Pipeline, ServerErrorKind, Value, aio::MultiplexedConnection, cmd};
use tokio::{sync::Mutex, time::Instant};

use super::{
    connect::{Connection, Connector, Role},
    error::{self, Fault},
    options::{Address, RedisOptions},
    scripts::Prepared,
    topology::{Finder, redirection},
};

/// How often a command follows a cluster from node to node before the cluster is called unsettled.
const REDIRECTIONS_MAX: u32 = 5;

/// After a failed attempt everybody gets its error for so long, instead of one attempt each.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(50);

/// The connection to wherever the store is.
pub(super) struct Link {
    connector: Connector,
    finder: Finder,
    current: ArcSwapOption<Live>,
    attempts: Mutex<Attempts>,
    /// The node that a slot is moving to, while it does.
    aside: Mutex<Option<Connection>>,
}

/// A connection with its number, so that only the one that failed is replaced.
struct Live {
    connection: Connection,
    number: u64,
}

/// What a call uses of it.
struct Handle {
    redis: MultiplexedConnection,
    number: u64,
}

#[derive(Default)]
struct Attempts {
    count: u64,
    failed: Option<(Instant, Error)>,
}

impl Link {
    /// A link that is not connected yet. `tag` is a name in the store's slot.
    ///
    /// # Errors
    /// `config` where the certificates can't be read.
    pub(super) async fn new(options: &RedisOptions, tag: &str) -> Result<Self> {
        Ok(Self {
            connector: Connector::new(options).await?,
            finder: Finder::new(options.topology.clone(), tag.to_owned()),
            current: ArcSwapOption::empty(),
            attempts: Mutex::default(),
            aside: Mutex::default(),
        })
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Cancel safety
    /// A dropped future leaves open whether the command is executed.
    pub(super) async fn call(&self, command: &Cmd) -> Result<Value, Fault> {
        let mut refusal = None;
        for _ in 0..REDIRECTIONS_MAX {
            let Handle { mut redis, number } = self.handle().await.map_err(Fault::Unsent)?;
            let cause = match redis.send_packed_command(command).await {
                Ok(Value::ServerError(cause)) => cause,
                Ok(answer) => return Ok(answer),
                Err(cause) => {
                    self.discard(number);
                    return Err(Fault::Lost(cause));
                }
            };
            let target = || redirection(cause.details(), self.address_of(number).as_ref());
            match cause.kind() {
                Some(ServerErrorKind::Moved) => {
                    if let Some(address) = target() {
                        self.finder.moved_to(address);
                    }
                    self.discard(number);
                    refusal = Some(cause);
                }
                Some(ServerErrorKind::Ask) => match target() {
                    Some(address) => return Box::pin(self.call_aside(&address, command)).await,
                    None => return Err(Fault::Refused(cause)),
                },
                _ => {
                    if error::is_demoted(&cause) {
                        self.discard(number);
                    }
                    return Err(Fault::Refused(cause));
                }
            }
        }
        Err(refusal.map_or(Fault::Strange("no answer at all"), Fault::Refused))
    }

    /// Sends commands together and waits for all answers, errors of the server among them.
    ///
    /// # Cancel safety
    /// As [`call`](Self::call).
    pub(super) async fn call_many(&self, commands: &Pipeline) -> Result<Vec<Value>, Fault> {
        let Handle { mut redis, number } = self.handle().await.map_err(Fault::Unsent)?;
        redis.send_packed_commands(commands, 0, commands.len()).await.map_err(|cause| {
            self.discard(number);
            Fault::Lost(cause)
        })
    }

    /// Runs a script; `arguments` adds what follows its digest.
    ///
    /// # Cancel safety
    /// As [`call`](Self::call).
    pub(super) async fn run(
        &self,
        script: &Prepared,
        arguments: impl FnOnce(&mut Cmd),
    ) -> Result<Value, Fault> {
        let mut command = cmd("EVALSHA");
        command.arg(&script.digest);
        arguments(&mut command);
        match self.call(&command).await {
            Err(Fault::Refused(cause)) if cause.kind() == Some(ServerErrorKind::NoScript) => {}
            answer => return answer,
        }
        // It was not executed. Loaded like this it stays, where newer servers forget what came with an `EVAL`.
        self.call(cmd("SCRIPT").arg("LOAD").arg(&script.code)).await?;
        self.call(&command).await
    }

    /// Which connection is in use, so that work of several calls can tell whether all went to one server.
    pub(super) fn number(&self) -> Option<u64> {
        self.handle_now().map(|handle| handle.number)
    }

    /// A handle on the connection, which is opened if there is none.
    async fn handle(&self) -> Result<Handle> {
        match self.handle_now() {
            Some(handle) => Ok(handle),
            // Boxed, as it is rare and large: every call would carry the room for it.
            None => Box::pin(self.connect()).await,
        }
    }

    /// The same, if there is one that is not known to be broken.
    fn handle_now(&self) -> Option<Handle> {
        let current = self.current.load();
        let live = current.as_ref().filter(|live| !live.connection.is_broken())?;
        Some(Handle { redis: live.connection.redis.clone(), number: live.number })
    }

    #[cold]
    async fn connect(&self) -> Result<Handle> {
        let mut attempts = self.attempts.lock().await;
        // Somebody else may have been faster, or just as unlucky.
        if let Some(handle) = self.handle_now() {
            return Ok(handle);
        }
        if let Some((when, error)) = &attempts.failed
            && when.elapsed() < ATTEMPT_PAUSE
        {
            return Err(error::copy(error));
        }
        attempts.count += 1;
        match self.finder.connect(&self.connector).await {
            Ok(connection) => {
                attempts.failed = None;
                let handle = Handle { redis: connection.redis.clone(), number: attempts.count };
                self.current.store(Some(Arc::new(Live { connection, number: attempts.count })));
                Ok(handle)
            }
            Err(error) => {
                let copy = error::copy(&error);
                attempts.failed = Some((Instant::now(), error));
                Err(copy)
            }
        }
    }

    /// Ends the use of a connection by new commands; those under way on it go on.
    fn discard(&self, number: u64) {
        let current = self.current.load();
        if current.as_ref().is_some_and(|live| live.number == number) {
            // Unless somebody has replaced it by now.
            self.current.compare_and_swap(&current, None);
        }
    }

    /// Where a connection is to, unless it was replaced.
    fn address_of(&self, number: u64) -> Option<Address> {
        let current = self.current.load();
        current.as_ref().filter(|live| live.number == number).map(|live| live.connection.address.clone())
    }

    /// Sends a command to the node that the slot is moving to.
    async fn call_aside(&self, address: &Address, command: &Cmd) -> Result<Value, Fault> {
        let mut connection = {
            let mut aside = self.aside.lock().await;
            match aside.as_ref().filter(|open| open.address == *address && !open.is_broken()) {
                Some(open) => open.clone(),
                None => {
                    let open = self.connector.open(address, Role::Data).await.map_err(Fault::Unsent)?;
                    aside.insert(open).clone()
                }
            }
        };
        let mut commands = redis::pipe();
        commands.cmd("ASKING").add_command(command.clone());
        let mut answers = match connection.redis.send_packed_commands(&commands, 0, 2).await {
            Ok(answers) => answers,
            Err(cause) => {
                *self.aside.lock().await = None;
                return Err(Fault::Lost(cause));
            }
        };
        match answers.pop() {
            Some(Value::ServerError(cause)) => Err(Fault::Refused(cause)),
            Some(answer) => Ok(answer),
            None => Err(Fault::Strange("nothing")),
        }
    }
}
