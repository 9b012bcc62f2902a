//! memcached's meta commands, over one connection that is opened anew when it breaks.
//!
//! A request whose answer is lost is repeated only where it reads. What writes tells its caller that the answer was lost.
//! Before each request the connection is looked at: one that the server closed since (it restarted, or dropped idle clients) is
//! replaced before anything is sent on it, so that a restart loses no call.

use std::io::{self, Read as _, Write as _};

use larder_sdk::net::{TcpStream, Timeouts, unreached};
use larder_sdk::{Error, Result};

use crate::address::Address;

/// Longest line of an answer, in bytes.
const LINE_BYTES_MAX: usize = 2 << 10;
/// Largest value that an answer is believed to have, in bytes: memcached's own limit of its setting.
const VALUE_BYTES_MAX: usize = 1 << 30;
/// How much is read at once.
const READ_BYTES: usize = 64 << 10;

/// A connection to a server, and how to get another.
#[derive(Debug)]
pub(crate) struct Client {
    address: Address,
    timeouts: Timeouts,
    connection: Option<Connection>,
    /// How many connections there were.
    opened: u64,
}

/// What is stored under a key.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) bytes: Vec<u8>,
    pub(crate) number: Number,
}

/// The server's own number of what is stored. Good on the connection that it was read on: the numbers of a server that
/// restarts begin again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    cas: u64,
    connection: u64,
}

/// What must hold for a write.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Condition {
    None,
    Absent,
    Number(Number),
}

/// Whether the condition of a write held, and it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrote {
    Yes,
    No,
}

/// An answer, or why there is none.
#[derive(Debug)]
pub(crate) enum Sure<T> {
    Yes(T),
    Lost(String),
}

impl Client {
    pub(crate) fn new(address: Address, timeouts: Timeouts) -> Self {
        Self { address, timeouts, connection: None, opened: 0 }
    }

    /// Asks the server what it can do, and answers its largest item in bytes.
    pub(crate) fn look(&mut self) -> Result<u32> {
        let (mut largest, mut has_numbers) = (None, false);
        let lines = self.read(b"mn\r\nstats settings\r\n", |connection| {
            let mut lines = vec![connection.line()?];
            if lines.first().is_some_and(|line| line == "MN") {
                loop {
                    match connection.line()? {
                        line if line == "END" => break,
                        line => lines.push(line),
                    }
                }
            }
            Ok(lines)
        })?;
        for line in &lines {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["STAT", "item_size_max", bytes] => largest = bytes.parse::<u32>().ok(),
                ["STAT", "cas_enabled", word] => has_numbers = word == "yes",
                _ => {}
            }
        }
        if lines.first().is_none_or(|line| line != "MN") {
            self.connection = None;
            return Err(Error::unsupported(
                "the server does not know meta commands; memcached 1.6 or later does",
            ));
        }
        if !has_numbers {
            return Err(Error::unsupported("the server was started without CAS (`-C`), which versions need"));
        }
        largest.ok_or_else(|| Error::unavailable("the server does not say how large an item may be"))
    }

    pub(crate) fn get(&mut self, name: &str) -> Result<Option<Stored>> {
        let request = format!("mg {name} v c\r\n");
        self.read(request.as_bytes(), Connection::stored)
    }

    pub(crate) fn get_many(&mut self, names: &[String]) -> Result<Vec<Option<Stored>>> {
        let request: String = names.iter().map(|name| format!("mg {name} v c\r\n")).collect();
        self.read(request.as_bytes(), |connection| names.iter().map(|_| connection.stored()).collect())
    }

    /// Stores under a condition.
    pub(crate) fn set(
        &mut self,
        name: &str,
        bytes: &[u8],
        seconds: Option<u64>,
        condition: Condition,
    ) -> Result<Sure<Wrote>> {
        let expiry = seconds.map_or_else(String::new, |seconds| format!(" T{seconds}"));
        let only = match condition {
            Condition::None => String::new(),
            Condition::Absent => " ME".to_owned(),
            Condition::Number(number) => format!(" C{}", number.cas),
        };
        let mut request = format!("ms {name} {}{expiry}{only}\r\n", bytes.len()).into_bytes();
        request.extend_from_slice(bytes);
        request.extend_from_slice(b"\r\n");
        self.write(&request, condition)
    }

    /// Removes what has that number.
    pub(crate) fn delete(&mut self, name: &str, number: Number) -> Result<Wrote> {
        let request = format!("md {name} C{}\r\n", number.cas);
        match self.write(request.as_bytes(), Condition::Number(number))? {
            Sure::Yes(wrote) => Ok(wrote),
            Sure::Lost(why) => Err(Error::indeterminate(why)),
        }
    }

    /// Sends what reads, on a fresh connection once more where the first broke.
    fn read<T>(
        &mut self,
        request: &[u8],
        mut answer: impl FnMut(&mut Connection) -> io::Result<T>,
    ) -> Result<T> {
        let connection = self.connect()?;
        // A fresh one that broke says something about the server; one that was used may have been closed as it was asked.
        let is_fresh = connection.requests == 0;
        let mut asked = self.ask(connection, request, &mut answer);
        if !is_fresh && asked.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::TimedOut) {
            let connection = self.connect()?;
            asked = self.ask(connection, request, &mut answer);
        }
        asked.map_err(|error| Error::unavailable(format!("memcached: {error}")))
    }

    fn write(&mut self, request: &[u8], condition: Condition) -> Result<Sure<Wrote>> {
        let connection = self.connect()?;
        // A number that was read before the server restarted may be another entry's by now.
        if let Condition::Number(number) = condition
            && number.connection != connection.number
        {
            self.connection = Some(connection);
            return Ok(Sure::Yes(Wrote::No));
        }
        let line = match self.ask(connection, request, &mut Connection::line) {
            Ok(line) => line,
            Err(error) => return Ok(Sure::Lost(format!("memcached: {error}"))),
        };
        match &*line {
            "HD" => Ok(Sure::Yes(Wrote::Yes)),
            "NS" | "EX" | "NF" => Ok(Sure::Yes(Wrote::No)),
            // A set that the server has no room for removes what was there.
            line => {
                self.connection = None;
                Err(Error::indeterminate(format!("memcached refused a write: {}", shown(line))))
            }
        }
    }

    /// Sends a request and reads its answer. An error leaves open what the server did with it.
    fn ask<T>(
        &mut self,
        mut connection: Connection,
        request: &[u8],
        answer: &mut impl FnMut(&mut Connection) -> io::Result<T>,
    ) -> io::Result<T> {
        connection.requests += 1;
        let asked = connection
            .stream
            .write_all(request)
            .and_then(|()| connection.stream.flush())
            .and_then(|()| answer(&mut connection));
        // After an error nobody knows what comes next on it.
        if asked.is_ok() {
            self.connection = Some(connection);
        }
        asked
    }

    /// The connection, taken out: whoever can vouch for it puts it back.
    fn connect(&mut self) -> Result<Connection> {
        if let Some(mut connection) = self.connection.take()
            && connection.is_idle()
        {
            return Ok(connection);
        }
        let stream = TcpStream::connect(&self.address.host, self.address.port, self.timeouts);
        let stream = stream.map_err(|error| unreached(&error).context("memcached"))?;
        self.opened += 1;
        Ok(Connection { stream, read: Vec::new(), at: 0, number: self.opened, requests: 0 })
    }
}

/// A connection and what was read of it and not yet taken.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
    at: usize,
    number: u64,
    requests: u64,
}

impl Connection {
    fn is_idle(&mut self) -> bool {
        self.at == self.read.len() && self.stream.is_idle()
    }

    /// The answer to a `mg KEY v c`.
    fn stored(&mut self) -> io::Result<Option<Stored>> {
        let line = self.line()?;
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["EN"] => Ok(None),
            ["VA", bytes, cas] => {
                let parsed =
                    bytes.parse::<usize>().ok().zip(cas.strip_prefix('c').and_then(|c| c.parse().ok()));
                let Some((length, cas)) = parsed.filter(|(length, _)| *length <= VALUE_BYTES_MAX) else {
                    return Err(unexpected(&line));
                };
                let bytes = self.block(length)?;
                Ok(Some(Stored { bytes, number: Number { cas, connection: self.number } }))
            }
            _ => Err(unexpected(&line)),
        }
    }

    /// The next line, without its end.
    fn line(&mut self) -> io::Result<String> {
        loop {
            let rest = self.read.get(self.at..).unwrap_or_default();
            if let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned();
                self.at += end + 2;
                return Ok(line);
            }
            if rest.len() > LINE_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the server's answer has no end"));
            }
            self.more(READ_BYTES)?;
        }
    }

    /// So many bytes and the end of a line.
    fn block(&mut self, length: usize) -> io::Result<Vec<u8>> {
        loop {
            let there = self.read.len() - self.at;
            match (length + 2).checked_sub(there) {
                None | Some(0) => break,
                Some(missing) => self.more(missing.clamp(READ_BYTES, 1 << 20))?,
            }
        }
        let end = self.at + length + 2;
        let bytes = self.read.get(self.at..self.at + length).unwrap_or_default().to_vec();
        if self.read.get(self.at + length..end) != Some(b"\r\n") {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the server's value is longer than it says",
            ));
        }
        self.at = end;
        Ok(bytes)
    }

    fn more(&mut self, length: usize) -> io::Result<()> {
        self.read.drain(..self.at);
        self.at = 0;
        let before = self.read.len();
        self.read.resize(before + length, 0);
        let count = self.stream.read(self.read.get_mut(before..).unwrap_or_default());
        self.read.truncate(before + *count.as_ref().unwrap_or(&0));
        match count {
            Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn unexpected(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server answered `{}`", shown(line)))
}

/// What the server said, cut: it may be a part of a value.
fn shown(line: &str) -> String {
    line.chars().take(60).filter(|c| !c.is_control()).collect()
}
