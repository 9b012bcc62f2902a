//! Requests to etcd's gateway: which endpoint is asked, who asks, and what a failure means.
//!
//! What reads is asked at the next endpoint where one fails, and at a single one once more: a connection that was kept may have
//! ended with the server that is back by now. What writes goes to the next endpoint only where nothing was sent. A failure is
//! told by the code of gRPC that the gateway answers with, never by its text.

use std::fmt;

use larder_sdk::http::{Cause, Client, Failure, Method, Request, Response, Timeouts, Url};
use larder_sdk::{Error, Result};
use serde_json::{Value, json};

/// Largest answer, in bytes: the contract's largest value in base64, with room for its key.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Largest answer that says what was wrong, in bytes.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// How much of what etcd says stands in an error, in characters.
const SAID_CHARS_MAX: usize = 200;

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing, or nothing that harms where it is done twice.
    Reads,
    Writes,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: Error,
    pub(crate) why: Why,
}

/// What the asker may do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Ask another endpoint, or once more.
    Broken,
    /// The same, for what waits are known to be long.
    Slow,
    /// Log in again.
    Unknown,
    /// Ask for less at once.
    TooLarge,
    /// A lease that is no longer there.
    Missing,
    /// A lease that is there already; logging in where nobody has to.
    Precondition,
    /// Nothing.
    Final,
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        refused.error
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, why: Why::Final }
    }
}

/// A user of etcd.
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// etcd's gateway.
pub(crate) struct Gateway {
    client: Client,
    endpoints: Vec<Url>,
    /// The endpoint that answered last.
    at: usize,
    timeouts: Timeouts,
    login: Option<Login>,
    token: Option<String>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoints, at, login, .. } = self;
        let mut shown = f.debug_struct("Gateway");
        shown.field("endpoints", endpoints).field("at", at);
        shown.field("user", &login.as_ref().map(|login| &login.user)).finish_non_exhaustive()
    }
}

impl Gateway {
    pub(crate) fn new(client: Client, endpoints: Vec<Url>, timeouts: Timeouts, login: Option<Login>) -> Self {
        Self { client, endpoints, at: 0, timeouts, login, token: None }
    }

    /// Asks, as the user where there is one.
    ///
    /// # Errors
    /// Of what writes, `indeterminate` where it may have happened.
    pub(crate) fn ask(&mut self, effect: Effect, path: &str, body: &Value) -> Result<Value, Refused> {
        let body = body.to_string().into_bytes();
        self.log_in()?;
        match self.around(effect, path, &body) {
            // The token is too old, or of a server that was restarted; what it came with was not done.
            Err(Refused { why: Why::Unknown, .. }) if self.login.is_some() => {
                self.token = None;
                self.log_in()?;
                self.around(effect, path, &body)
            }
            answered => answered,
        }
    }

    fn log_in(&mut self) -> Result<(), Refused> {
        let (Some(login), None) = (&self.login, &self.token) else { return Ok(()) };
        let body = json!({"name": login.user, "password": login.password}).to_string();
        let answer = self.around(Effect::Reads, "/v3/auth/authenticate", body.as_bytes());
        let answer = answer.map_err(|mut refused| {
            match (&refused.error, refused.why) {
                (Error::Invalid(_), _) => {
                    refused.error = Error::denied("etcd knows no such user, or another password");
                }
                (_, Why::Precondition) => {
                    refused.error = Error::invalid("the setting `user`: etcd has no authentication enabled");
                }
                _ => {}
            }
            refused
        })?;
        let token = answer.get("token").and_then(Value::as_str);
        self.token =
            Some(token.ok_or_else(|| Error::unavailable("etcd answered without a token"))?.to_owned());
        Ok(())
    }

    /// Asks one endpoint after the other.
    fn around(&mut self, effect: Effect, path: &str, body: &[u8]) -> Result<Value, Refused> {
        let others = self.endpoints.len().saturating_sub(1);
        let mut left = if effect == Effect::Reads { others.max(1) } else { others };
        loop {
            let refused = match self.once(effect, path, body) {
                Err(refused) => refused,
                answered => return answered,
            };
            let goes_on = match refused.why {
                Why::Broken => left > 0,
                Why::Slow => left > 0 && others > 0,
                _ => false,
            };
            // The next call begins elsewhere in any case.
            if matches!(refused.why, Why::Broken | Why::Slow) {
                self.at = (self.at + 1) % self.endpoints.len().max(1);
            }
            if !goes_on || matches!(refused.error, Error::Indeterminate(_)) {
                return Err(refused);
            }
            left -= 1;
        }
    }

    fn once(&mut self, effect: Effect, path: &str, body: &[u8]) -> Result<Value, Refused> {
        let endpoint = self.endpoints.get(self.at).ok_or_else(|| Error::invalid("no endpoint"))?;
        let mut request = Request::new(Method::POST, endpoint.with_path(path).to_string())
            .header("content-type", "application/json")
            .timeouts(self.timeouts)
            .body(body);
        if let Some(token) = &self.token {
            request = request.header("authorization", token.as_bytes());
        }
        let mut response = self.client.send(request).map_err(|failure| failed(effect, failure))?;
        if !response.is_success() {
            return Err(refused(effect, &mut response));
        }
        let bytes = response.bytes(ANSWER_BYTES_MAX).map_err(|failure| failed(effect, failure))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("etcd: the answer is no JSON at its line {}", error.line());
            match effect {
                Effect::Reads => Error::other(message).into(),
                Effect::Writes => Error::indeterminate(message).into(),
            }
        })
    }
}

fn failed(effect: Effect, failure: Failure) -> Refused {
    let why = match failure.cause() {
        Cause::TooLarge => Why::TooLarge,
        Cause::TimedOut => Why::Slow,
        Cause::Unreached | Cause::Cut | Cause::Tls | Cause::Protocol => Why::Broken,
        _ => Why::Final,
    };
    let error = match effect {
        Effect::Reads => failure.of_read(),
        Effect::Writes => failure.of_write(),
    };
    Refused { error: error.context("etcd"), why }
}

/// What an answer without success means.
fn refused(effect: Effect, response: &mut Response) -> Refused {
    let by_status = match effect {
        Effect::Reads => response.error_of_read("etcd"),
        Effect::Writes => response.error_of_write("etcd"),
    };
    if response.status() == 404 && response.header("content-type").is_none_or(|kind| !kind.contains("json")) {
        return Error::unsupported(
            "the server has no gateway at /v3: etcd 3.4 or later has, unless it was started with \
             --enable-grpc-gateway=false",
        )
        .into();
    }
    // Whoever stands before etcd answers with a status alone.
    let said: Option<Value> =
        response.bytes(REFUSAL_BYTES_MAX).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let code = said.as_ref().and_then(|said| said.get("code")).and_then(Value::as_i64);
    let text = said.as_ref().and_then(|said| said.get("message").or_else(|| said.get("error")));
    let text = shown(text.and_then(Value::as_str).unwrap_or("it does not say why"));
    match code {
        Some(code) => by_code(effect, code, &text),
        None => by_status.into(),
    }
}

/// What a code of gRPC means.
fn by_code(effect: Effect, code: i64, said: &str) -> Refused {
    let message = format!("etcd refused by the code {code}: {said}");
    let (error, why) = match code {
        3 => (Error::invalid(message), Why::Final),
        5 => (Error::unavailable(message), Why::Missing),
        7 => (Error::denied(message), Why::Final),
        // No room (the alarm NOSPACE), or an answer that is too large for the gateway, which only reads have.
        8 => (Error::unavailable(message), Why::TooLarge),
        9 => (Error::unavailable(message), Why::Precondition),
        // A revision that was compacted away.
        11 => (Error::unavailable(message), Why::Final),
        12 => (Error::unsupported(message), Why::Final),
        16 => (Error::denied(message), Why::Unknown),
        // Cancelled, unknown, too late, aborted, internal, unavailable, lost: it may have been done.
        _ if effect == Effect::Writes => (Error::indeterminate(message), Why::Broken),
        _ => (Error::unavailable(message), Why::Broken),
    };
    Refused { error, why }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect()
}
