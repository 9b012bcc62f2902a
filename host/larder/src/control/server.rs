//! The side of the host.

use std::{path::Path, sync::Arc, time::Duration};

use larder_core::{Error, ErrorKind, Result};
use larder_wasm::Source;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::protocol::{Answer, Ask, QUESTION_BYTES_MAX, Question, VERSION, line, to_line};
use crate::{plan::ControlAddress, plugins::Plugins};

/// Longest wait for a question, and for an answer to be taken.
const TALK_MAX: Duration = Duration::from_secs(10);

/// Most connections at once: questions are for people and their scripts.
const CONNECTIONS_MAX: usize = 8;

/// Wait after a connection could not be accepted, such as for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A host that listens. Dropped, it does not any more; closed, it has ended.
pub(crate) struct Control {
    stop: CancellationToken,
    listening: AbortOnDropHandle<()>,
}

impl Control {
    pub(crate) async fn open(address: &ControlAddress, plugins: Arc<Plugins>) -> Result<Self> {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let listening = match address {
            ControlAddress::Socket(path) => on_socket(path, plugins, stopped).await?,
            ControlAddress::Tcp { address, token } => {
                let listener = TcpListener::bind(address).await.map_err(|e| {
                    Error::new(ErrorKind::Unavailable, "the control port can't be opened")
                        .with("address", address)
                        .caused_by(e)
                })?;
                let gate = Gate { token: Some(Sha256::digest(token.as_bytes()).into()) };
                tokio::spawn(on_port(listener, gate, plugins, stopped))
            }
        };
        tracing::info!(%address, "the host can be asked about its plugins");
        Ok(Self { stop, listening: AbortOnDropHandle::new(listening) })
    }

    /// Stops listening, and drops what is under way: a swap is done then, or not.
    pub(crate) async fn close(self) {
        self.stop.cancel();
        if let Err(error) = self.listening.await {
            tracing::error!(%error, "the task of the control address panicked");
        }
    }
}

/// Who is let in.
struct Gate {
    /// The hash of the token, so that comparing takes the same time whatever was sent.
    token: Option<[u8; 32]>,
}

impl Gate {
    fn check(&self, token: Option<&str>) -> Result<()> {
        let Some(expected) = &self.token else { return Ok(()) };
        let sent: [u8; 32] = Sha256::digest(token.unwrap_or_default().as_bytes()).into();
        if bool::from(expected.ct_eq(&sent)) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Denied, "the token is not the one of this host"))
    }
}

#[cfg(unix)]
async fn on_socket(
    path: &Path,
    plugins: Arc<Plugins>,
    stopped: CancellationToken,
) -> Result<tokio::task::JoinHandle<()>> {
    let socket = super::socket::Socket::open(path).await?;
    Ok(tokio::spawn(async move {
        // All of it, or its file would be removed here.
        let super::socket::Socket { listener, user: own, file: _file } = socket;
        let gate = Arc::new(Gate { token: None });
        let mut talks = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stopped.cancelled() => return,
                Some(_) = talks.join_next() => continue,
                accepted = listener.accept(), if talks.len() < CONNECTIONS_MAX => accepted,
            };
            match accepted.and_then(|(stream, _)| Ok((stream.peer_cred()?.uid(), stream))) {
                Ok((user, stream)) if user == own || user == 0 => {
                    let by = format!("control socket, user {user}");
                    talks.spawn(talk(stream, Arc::clone(&gate), Arc::clone(&plugins), by));
                }
                Ok((user, _)) => tracing::warn!(user, "another user asked at the control socket"),
                Err(error) => pause(&error).await,
            }
        }
    }))
}

#[cfg(not(unix))]
async fn on_socket(
    path: &Path,
    _: Arc<Plugins>,
    _: CancellationToken,
) -> Result<tokio::task::JoinHandle<()>> {
    let message = "there are no Unix sockets on this system; take `control.listen`";
    Err(Error::unsupported(message).with("socket", path.display()))
}

async fn on_port(listener: TcpListener, gate: Gate, plugins: Arc<Plugins>, stopped: CancellationToken) {
    let gate = Arc::new(gate);
    let mut talks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stopped.cancelled() => return,
            Some(_) = talks.join_next() => continue,
            accepted = listener.accept(), if talks.len() < CONNECTIONS_MAX => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let by = format!("control port, from {from}");
                talks.spawn(talk(stream, Arc::clone(&gate), Arc::clone(&plugins), by));
            }
            Err(error) => pause(&error).await,
        }
    }
}

async fn pause(error: &std::io::Error) {
    tracing::warn!(%error, "a connection to the control address could not be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// One question and its answer.
async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    gate: Arc<Gate>,
    plugins: Arc<Plugins>,
    by: String,
) {
    let (from, mut to) = tokio::io::split(stream);
    let asked = tokio::time::timeout(TALK_MAX, line(BufReader::new(from), QUESTION_BYTES_MAX)).await;
    let Ok(asked) = asked else {
        tracing::debug!(by, "nothing was asked in time");
        return;
    };
    let answered = match asked.and_then(|asked| question(&asked, &gate)) {
        Ok(ask) => answer(ask, &plugins, &by).await,
        Err(error) => Err(error),
    };
    let answer = answered.unwrap_or_else(|error| {
        tracing::warn!(by, "the control address refused: {}", error.chain());
        Answer::Error((&error).into())
    });
    let sending = async {
        to.write_all(&to_line(&answer)?).await.map_err(gone)?;
        to.shutdown().await.map_err(gone)
    };
    match tokio::time::timeout(TALK_MAX, sending).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(by, "nobody took the answer: {}", error.chain()),
        Err(_) => tracing::debug!(by, "nobody took the answer in time"),
    }
}

fn gone(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the connection broke").caused_by(error)
}

fn question(asked: &[u8], gate: &Gate) -> Result<Ask> {
    // Without what was sent: a token may be in it.
    let question: Question = serde_json::from_slice(asked)
        .map_err(|_| Error::invalid("this is no question that this host understands"))?;
    gate.check(question.token.as_deref())?;
    if question.larder != VERSION {
        let message =
            format!("this host speaks version {VERSION} of the control protocol, not {}", question.larder);
        return Err(Error::unsupported(message));
    }
    Ok(question.ask)
}

async fn answer(ask: Ask, plugins: &Plugins, by: &str) -> Result<Answer> {
    match ask {
        Ask::List {} => Ok(Answer::Plugins(plugins.list())),
        Ask::Audit {} => Ok(Answer::Audit(plugins.audit().into_iter().map(Into::into).collect())),
        Ask::Release { plugin } => {
            plugins.release(&plugin)?;
            tracing::info!(plugin, by, "a plugin was released");
            Ok(Answer::Released {})
        }
        Ask::Swap { plugin, path, sha256 } => {
            if !Path::new(&path).is_absolute() {
                return Err(
                    Error::invalid("expected the path of the component from the root").with("path", path)
                );
            }
            let mut options = plugins.swap_options(&plugin)?.asked_by(by);
            if let Some(sha256) = sha256 {
                options = options.with_sha256(sha256);
            }
            let swapped = plugins.swap_with(&plugin, Source::file(path), &options).await?;
            Ok(Answer::Swapped(swapped.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_opens_to_its_token_alone() {
        let gate = Gate { token: Some(Sha256::digest(b"a token of some length").into()) };
        assert!(gate.check(Some("a token of some length")).is_ok());
        for wrong in [None, Some(""), Some("a token of some lengt"), Some("a token of some length ")] {
            assert_eq!(gate.check(wrong).unwrap_err().kind(), ErrorKind::Denied);
        }
    }

    #[test]
    fn an_error_about_a_question_does_not_quote_it() {
        let gate = Gate { token: None };
        let error = question(br#"{"larder":1,"token":"hush","ask":7}"#, &gate).unwrap_err();
        assert!(!error.chain().contains("hush"), "{}", error.chain());
    }
}
