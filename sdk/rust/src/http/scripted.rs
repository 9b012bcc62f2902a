//! A transport that answers by script, for native tests of a plugin's protocol.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Answer, Cause, Exchange, Failure, Head, Headers, Incoming, Transport};

/// Answers what it was told, in order, and remembers what was asked. Clones share both, so that a test keeps one.
///
/// Where the script is at its end, a request is [`Cause::Unreached`]. For a server with a state of its own, a test implements
/// [`Transport`], or gives a function to [`Scripted::answer_with`].
#[derive(Clone, Default)]
pub struct Scripted(Arc<Mutex<Script>>);

/// A request as it was sent. `Debug` shows no header's value.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The method.
    pub method: String,
    /// Scheme, host and port: `https://store.example`.
    pub origin: String,
    /// Path and query.
    pub path: String,
    /// The headers.
    pub headers: Headers,
    /// The body, all of its pieces.
    pub body: Vec<u8>,
}

type Reply = Result<(u16, Headers, Vec<Result<Vec<u8>, Failure>>), Failure>;
type Answerer = Box<dyn FnMut(&Sent) -> (u16, Vec<(String, String)>, Vec<u8>) + Send>;

#[derive(Default)]
struct Script {
    replies: VecDeque<Reply>,
    answerer: Option<Answerer>,
    sent: Vec<Sent>,
}

impl Scripted {
    /// Answers the next request so.
    pub fn answer(&self, status: u16, headers: &[(&str, &str)], body: &[u8]) {
        let pieces = if body.is_empty() { Vec::new() } else { vec![Ok(body.to_vec())] };
        self.push(Ok((status, of_text(headers), pieces)));
    }

    /// Answers the next request with these pieces of a body, of which the last may be a failure.
    pub fn answer_in_pieces(
        &self,
        status: u16,
        headers: &[(&str, &str)],
        pieces: Vec<Result<Vec<u8>, Failure>>,
    ) {
        self.push(Ok((status, of_text(headers), pieces)));
    }

    /// Fails the next request.
    pub fn fail(&self, failure: Failure) {
        self.push(Err(failure));
    }

    /// Answers each request that the script has no answer for: status, headers, body.
    pub fn answer_with(
        &self,
        answerer: impl FnMut(&Sent) -> (u16, Vec<(String, String)>, Vec<u8>) + Send + 'static,
    ) {
        self.lock().answerer = Some(Box::new(answerer));
    }

    /// What was sent, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.lock().sent.clone()
    }

    fn push(&self, reply: Reply) {
        self.lock().replies.push_back(reply);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reply(&self, sent: Sent) -> Reply {
        let mut script = self.lock();
        let Script { replies, answerer, sent: all } = &mut *script;
        let reply = match (replies.pop_front(), answerer) {
            (Some(reply), _) => reply,
            (None, Some(answer)) => {
                let (status, headers, body) = answer(&sent);
                let headers: Vec<_> =
                    headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
                let pieces = if body.is_empty() { Vec::new() } else { vec![Ok(body)] };
                Ok((status, headers.into(), pieces))
            }
            (None, None) => Err(Failure::unsent(Cause::Unreached, "the script is at its end")),
        };
        all.push(sent);
        reply
    }
}

fn of_text(headers: &[(&str, &str)]) -> Headers {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    headers.iter().map(pair).collect::<Vec<_>>().into()
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").field("sent", &self.lock().sent).finish_non_exhaustive()
    }
}

impl Transport for Scripted {
    fn open(&mut self, head: Head) -> Result<Box<dyn Exchange>, Failure> {
        let whole = head.url.to_string();
        let origin = whole.strip_suffix(head.url.path()).unwrap_or(&whole).to_owned();
        let sent = Sent {
            method: head.method.as_str().to_owned(),
            origin,
            path: head.url.path().to_owned(),
            headers: head.headers,
            body: Vec::new(),
        };
        Ok(Box::new(Written { script: self.clone(), sent }))
    }
}

struct Written {
    script: Scripted,
    sent: Sent,
}

impl Exchange for Written {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.sent.body.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Answer, Failure> {
        let Self { script, sent } = *self;
        if let Some(length) = sent.headers.get("content-length").and_then(|text| text.parse::<usize>().ok())
            && length != sent.body.len()
        {
            let written = sent.body.len();
            return Err(Failure::sent(Cause::Invalid, format!("a body of {length} bytes had {written}")));
        }
        let (status, headers, pieces) = script.reply(sent)?;
        Ok(Answer { status, headers, body: Box::new(Pieces(pieces.into())) })
    }
}

struct Pieces(VecDeque<Result<Vec<u8>, Failure>>);

impl Incoming for Pieces {
    fn read(&mut self, bytes_max: usize) -> Result<Option<Vec<u8>>, Failure> {
        match self.0.pop_front() {
            None => Ok(None),
            Some(Err(failure)) => Err(failure),
            Some(Ok(mut piece)) => {
                if piece.len() > bytes_max {
                    self.0.push_front(Ok(piece.split_off(bytes_max)));
                }
                Ok(Some(piece))
            }
        }
    }
}
