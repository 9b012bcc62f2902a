//! The one connection of a store, and its replacement when it breaks.
//!
//! All commands share it; none of them blocks the server. It is opened by whoever needs it first, and by one caller at
//! a time: others wait for that attempt and share its outcome. A command that may have been sent is never sent again
//! here, whatever became of it; one that a server *refused* because it is not the right one is, for it was not
//! executed.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use larder_core::{Error, Result};
use redis::{Cmd, Pipeline, ServerErrorKind, Value, cmd};
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
    current: RwLock<Option<Arc<Live>>>,
    attempts: Mutex<Attempts>,
    /// The node that a slot is moving to, while it does.
    aside: Mutex<Option<Connection>>,
}

/// A connection with its number, so that only the one that failed is replaced.
struct Live {
    connection: Connection,
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
            current: RwLock::new(None),
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
            let live = self.live().await.map_err(Fault::Unsent)?;
            let cause = match live.connection.redis.clone().send_packed_command(command).await {
                Ok(Value::ServerError(cause)) => cause,
                Ok(answer) => return Ok(answer),
                Err(cause) => {
                    self.discard(live.number);
                    return Err(Fault::Lost(cause));
                }
            };
            let target = || redirection(cause.details(), &live.connection.address);
            match cause.kind() {
                Some(ServerErrorKind::Moved) => {
                    if let Some(address) = target() {
                        self.finder.moved_to(address);
                    }
                    self.discard(live.number);
                    refusal = Some(cause);
                }
                Some(ServerErrorKind::Ask) => match target() {
                    Some(address) => return self.call_aside(&address, command).await,
                    None => return Err(Fault::Refused(cause)),
                },
                _ => {
                    if error::is_demoted(&cause) {
                        self.discard(live.number);
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
        let live = self.live().await.map_err(Fault::Unsent)?;
        live.connection.redis.clone().send_packed_commands(commands, 0, commands.len()).await.map_err(
            |cause| {
                self.discard(live.number);
                Fault::Lost(cause)
            },
        )
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
        self.get().map(|live| live.number)
    }

    async fn live(&self) -> Result<Arc<Live>> {
        if let Some(live) = self.get() {
            return Ok(live);
        }
        self.connect().await
    }

    fn get(&self) -> Option<Arc<Live>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|live| !live.connection.is_broken()).cloned()
    }

    #[cold]
    async fn connect(&self) -> Result<Arc<Live>> {
        let mut attempts = self.attempts.lock().await;
        // Somebody else may have been faster, or just as unlucky.
        if let Some(live) = self.get() {
            return Ok(live);
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
                let live = Arc::new(Live { connection, number: attempts.count });
                self.set(Some(live.clone()));
                Ok(live)
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
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|live| live.number == number) {
            *current = None;
        }
    }

    fn set(&self, live: Option<Arc<Live>>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = live;
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
