//! Finding the server that keeps a store: the one that was named, the master that the Sentinels agree on, or the node
//! that owns the store's slot.

use std::sync::{Mutex, PoisonError};

use larder_core::{Error, ErrorKind, Result};
use redis::{Cmd, Value, cmd};

use super::{
    connect::{Connection, Connector, Role},
    error::{Fault, Intent},
    options::{Address, PORT, Topology},
};

/// Most nodes of a cluster that are remembered for asking them.
const NODES_MAX: usize = 64;

/// Where the store is now, and who can be asked.
#[derive(Debug)]
pub(super) struct Finder {
    topology: Topology,
    /// A name in the store's slot.
    tag: String,
    state: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Nodes that the cluster named, besides those of the configuration.
    nodes: Vec<Address>,
    /// Where a node sent us, to be tried before anybody is asked.
    hint: Option<Address>,
}

impl Finder {
    pub(super) fn new(topology: Topology, tag: String) -> Self {
        Self { topology, tag, state: Mutex::default() }
    }

    /// A node said that the store's slot is there.
    pub(super) fn moved_to(&self, address: Address) {
        self.known().hint = Some(address);
    }

    /// Opens a connection to the server that keeps the store.
    ///
    /// # Errors
    /// Of the last server that was tried. Nothing was written.
    pub(super) async fn connect(&self, connector: &Connector) -> Result<Connection> {
        match &self.topology {
            Topology::Standalone(address) => connector.open(address, Role::Data).await,
            Topology::Sentinel { sentinels, master } => self.master(connector, sentinels, master).await,
            Topology::Cluster(seeds) => self.owner(connector, seeds).await,
        }
    }

    async fn master(&self, connector: &Connector, sentinels: &[Address], name: &str) -> Result<Connection> {
        let mut failure = None;
        for sentinel in sentinels {
            match self.master_by(connector, sentinel, name).await {
                Ok(connection) => return Ok(connection),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| Error::config("no Sentinels are configured")))
    }

    async fn master_by(&self, connector: &Connector, sentinel: &Address, name: &str) -> Result<Connection> {
        let asked = connector.open(sentinel, Role::Sentinel).await?;
        let answer = ask(&asked, cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name)).await?;
        let Value::Array(parts) = answer else {
            return Err(Error::new(ErrorKind::Unavailable, "this Sentinel knows no master of that name")
                .with("host", sentinel)
                .with("master", name));
        };
        let address = match parts.as_slice() {
            [host, port] => text(host).zip(text(port).and_then(|port| port.parse().ok())),
            _ => None,
        };
        let (host, port) = address.ok_or_else(|| strange("the address of a master"))?;
        let connection = connector.open(&Address { host, port }, Role::Data).await?;
        // For a moment after a failover a Sentinel may still name the old one.
        let is_master = match ask(&connection, &cmd("ROLE")).await? {
            Value::Array(parts) => parts.first().and_then(text).as_deref() == Some("master"),
            _ => false,
        };
        if is_master {
            return Ok(connection);
        }
        Err(Error::new(ErrorKind::Unavailable, "the master that the Sentinel names is a replica now")
            .with("host", &connection.address)
            .with("master", name))
    }

    async fn owner(&self, connector: &Connector, seeds: &[Address]) -> Result<Connection> {
        let (hint, nodes) = {
            let mut known = self.known();
            (known.hint.take(), known.nodes.clone())
        };
        if let Some(hint) = hint
            && let Ok(connection) = connector.open(&hint, Role::Data).await
        {
            return Ok(connection);
        }
        let mut failure = None;
        // Who was named last is most likely to live; who was configured is there to begin with.
        let unnamed = seeds.iter().filter(|seed| !nodes.contains(seed));
        for node in nodes.iter().chain(unnamed) {
            match self.owner_by(connector, node).await {
                Ok(connection) => return Ok(connection),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| Error::config("no nodes of the cluster are configured")))
    }

    async fn owner_by(&self, connector: &Connector, node: &Address) -> Result<Connection> {
        let asked = connector.open(node, Role::Data).await?;
        let Value::Int(slot) = ask(&asked, cmd("CLUSTER").arg("KEYSLOT").arg(&self.tag)).await? else {
            return Err(strange("the number of a slot"));
        };
        let Value::Array(ranges) = ask(&asked, cmd("CLUSTER").arg("SLOTS")).await? else {
            return Err(strange("the slots of a cluster"));
        };
        let (mut owner, mut nodes) = (None, Vec::new());
        for range in &ranges {
            let Value::Array(parts) = range else { continue };
            let [Value::Int(first), Value::Int(last), replicas @ ..] = parts.as_slice() else { continue };
            let addresses: Vec<Address> =
                replicas.iter().filter_map(|replica| named(replica, node)).collect();
            if (*first..=*last).contains(&slot) {
                owner = addresses.first().cloned();
            }
            nodes.extend(addresses);
        }
        nodes.truncate(NODES_MAX);
        self.known().nodes = nodes;
        let owner = owner.ok_or_else(|| {
            Error::new(ErrorKind::Unavailable, "no node of the cluster has the store's slot")
                .with("host", node)
        })?;
        if owner == *node { Ok(asked) } else { connector.open(&owner, Role::Data).await }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address of a node in `CLUSTER SLOTS`; one without a host is on the host that was asked.
fn named(node: &Value, asked: &Address) -> Option<Address> {
    let Value::Array(parts) = node else { return None };
    let [host, Value::Int(port), ..] = parts.as_slice() else { return None };
    let host = text(host).filter(|host| !host.is_empty()).unwrap_or_else(|| asked.host.clone());
    Some(Address { host, port: u16::try_from(*port).ok()? })
}

/// Where `MOVED` or `ASK` points to.
pub(super) fn redirection(details: Option<&str>, from: Option<&Address>) -> Option<Address> {
    let place = details?.split_ascii_whitespace().nth(1)?;
    let (host, port) = place.rsplit_once(':')?;
    let host = if host.is_empty() { &from?.host } else { host.trim_matches(['[', ']']) };
    let port = port.parse().unwrap_or(PORT);
    Some(Address { host: host.to_owned(), port })
}

async fn ask(connection: &Connection, command: &Cmd) -> Result<Value> {
    let answer = connection.redis.clone().send_packed_command(command).await;
    let fault = match answer {
        Ok(Value::ServerError(cause)) => Fault::Refused(cause),
        Ok(answer) => return Ok(answer),
        Err(cause) => Fault::Lost(cause),
    };
    let error = fault.into_error(Intent::Read).with("host", &connection.address);
    // Whatever it was, the command that all this is for was not sent.
    let kind = if error.kind() == ErrorKind::Timeout { ErrorKind::Unavailable } else { error.kind() };
    Err(Error::new(kind, "finding the server that keeps the store failed")
        .with("host", &connection.address)
        .caused_by(error))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

fn strange(what: &'static str) -> Error {
    Fault::Strange(what).into_error(Intent::Read)
}
