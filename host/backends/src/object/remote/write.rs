//! Writing a blob so that a lost answer is never taken for something else.
//!
//! A write that makes a blob visible may succeed while its answer is lost. Repeating it is harmless where it has
//! no condition and is one request. Everywhere else the repetition meets its own effect: the condition does not
//! hold any more, or the upload is gone because it is complete. Such writes therefore carry a token in the blob's
//! metadata. Where a repetition is refused, the blob is looked at: with the token, the write has happened; without
//! it, nobody can tell whether it has and was overwritten, and the error says so.

use opendal::{
    Buffer, Error, ErrorKind, Metadata, OperationContext, Result,
    options::WriteOptions,
    raw::{OpStat, OpWrite, Service as _, Servicer, oio},
};

use super::{
    Remote,
    metadata::{self, TOKEN, decode},
};
use crate::object::transport::never_reached;

/// The writer of one blob.
pub(super) struct CertainWriter {
    inner: Servicer,
    ctx: OperationContext,
    path: String,
    options: WriteOptions,
    remote: Remote,
    state: State,
    /// Carried by the blob where its writing is repeated only at the price of doubt.
    token: Option<String>,
    /// An earlier attempt to make the blob visible may have succeeded.
    is_in_doubt: bool,
    parts: usize,
    bytes: u64,
}

enum State {
    /// Nothing was written.
    Fresh,
    /// One piece, which may be all of the blob.
    Held(Buffer),
    /// The service has begun.
    Open(oio::Writer),
    /// Given up.
    Done,
}

impl CertainWriter {
    pub(super) fn new(
        inner: Servicer,
        ctx: OperationContext,
        path: &str,
        args: &OpWrite,
        remote: Remote,
    ) -> Result<Self> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let user = match args.user_metadata() {
            Some(user) => Some(metadata::encode(user, &remote.traits)?),
            None => None,
        };
        let concurrent = match args.concurrent() {
            0 | 1 => remote.parts_in_flight,
            asked => asked,
        };
        let options = WriteOptions {
            content_type: owned(args.content_type()),
            content_disposition: owned(args.content_disposition()),
            content_encoding: owned(args.content_encoding()),
            cache_control: owned(args.cache_control()),
            user_metadata: user,
            if_match: owned(args.if_match()),
            if_none_match: owned(args.if_none_match()),
            if_version_match: owned(args.if_version_match()),
            if_version_not_match: owned(args.if_version_not_match()),
            if_not_exists: args.if_not_exists(),
            concurrent,
            ..WriteOptions::default()
        };
        Ok(Self {
            inner,
            ctx,
            path: path.to_owned(),
            options,
            remote,
            state: State::Fresh,
            token: args.is_conditional().then(metadata::token),
            is_in_doubt: false,
            parts: 0,
            bytes: 0,
        })
    }

    /// Whether the service keeps what tells a write from another.
    fn can_carry_tokens(&self) -> bool {
        let can = self.inner.capability();
        can.write_with_user_metadata && can.stat
    }

    /// Begins at the service, with the piece that was held back.
    async fn open(&mut self, first: Buffer) -> Result<&mut oio::Writer> {
        let mut options = self.options.clone();
        if let Some(token) = self.token.clone().filter(|_| self.can_carry_tokens()) {
            options.user_metadata.get_or_insert_default().insert(TOKEN.to_owned(), token);
        }
        let (args, _) = OpWrite::from_options(&self.inner.capability(), options)?;
        let mut writer = self.inner.write(&self.ctx, &self.path, args)?;
        if !first.is_empty() {
            oio::Write::write(&mut writer, first).await?;
        }
        self.state = State::Open(writer);
        self.writer()
    }

    fn writer(&mut self) -> Result<&mut oio::Writer> {
        match &mut self.state {
            State::Open(writer) => Ok(writer),
            _ => Err(Error::new(ErrorKind::Unexpected, "the writer is closed")),
        }
    }

    /// Counts a part that is to be sent.
    fn count(&self, piece: &Buffer) -> Result<()> {
        let parts_max = self.remote.traits.parts_max;
        if self.parts < parts_max {
            return Ok(());
        }
        let told = larder_core::Error::invalid(format!(
            "a blob has at most {parts_max} parts, and this one has more of {} bytes: make them larger",
            piece.len()
        ));
        Err(Error::new(ErrorKind::Unsupported, "too many parts").set_source(told))
    }

    /// Finds out what became of a write whose repetition was refused.
    async fn settle(&mut self, refusal: Error) -> Result<Metadata> {
        if self.token.is_some() && self.can_carry_tokens() {
            let found = self.inner.stat(&self.ctx, &self.path, OpStat::new()).await;
            match found.map(opendal::raw::RpStat::into_metadata) {
                Ok(found) => {
                    let token = found.user_metadata().and_then(|user| user.get(TOKEN));
                    if token == self.token.as_deref() {
                        self.is_in_doubt = false;
                        return Ok(decode(found, &self.remote.traits));
                    }
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // The repetition is refused again, and the blob looked at again.
                Err(error) => return Err(error),
            }
        }
        let told = larder_core::Error::new(
            larder_core::ErrorKind::Unavailable,
            "the answer to the write was lost, and another blob or none is at its path now",
        )
        .effect(larder_core::Effect::Unknown)
        .caused_by(refusal);
        Err(Error::new(ErrorKind::Unexpected, "nobody knows whether the blob was written").set_source(told))
    }
}

impl oio::Write for CertainWriter {
    async fn write(&mut self, piece: Buffer) -> Result<()> {
        self.count(&piece)?;
        let bytes = piece.len() as u64;
        match std::mem::replace(&mut self.state, State::Done) {
            State::Fresh => self.state = State::Held(piece),
            State::Held(first) => {
                // In parts, and so completed by a request that can't be repeated.
                self.token.get_or_insert_with(metadata::token);
                let writer = self.open(first).await?;
                oio::Write::write(writer, piece).await?;
            }
            State::Open(writer) => {
                self.state = State::Open(writer);
                oio::Write::write(self.writer()?, piece).await?;
            }
            State::Done => self.writer().map(drop)?,
        }
        self.parts += 1;
        self.bytes += bytes;
        Ok(())
    }

    async fn close(&mut self) -> Result<Metadata> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Fresh => drop(self.open(Buffer::new()).await?),
            State::Held(only) => drop(self.open(only).await?),
            open => self.state = open,
        }
        let was_in_doubt = std::mem::replace(&mut self.is_in_doubt, true);
        // A dropped future leaves the doubt behind.
        let closed = oio::Write::close(self.writer()?).await;
        match closed {
            Ok(metadata) => {
                self.is_in_doubt = false;
                Ok(decode(self.sized(metadata), &self.remote.traits))
            }
            Err(error) if is_refusal(&error) => {
                self.is_in_doubt = was_in_doubt;
                match (was_in_doubt, is_own_effect(error.kind()) && !error.is_temporary()) {
                    (true, true) => self.settle(error).await,
                    // This attempt did nothing; of the one before nobody knows.
                    (true, false) => Err(unsure(error)),
                    (false, _) => Err(self.told(error)),
                }
            }
            Err(error) => Err(unsure(error)),
        }
    }

    async fn abort(&mut self) -> Result<()> {
        match &mut self.state {
            State::Open(writer) => oio::Write::abort(writer).await?,
            State::Fresh | State::Held(_) | State::Done => {}
        }
        self.state = State::Done;
        Ok(())
    }
}

impl CertainWriter {
    /// The answer with the size that was sent: services tell it late or not at all.
    fn sized(&self, metadata: Metadata) -> Metadata {
        let mut builder = metadata.into_builder();
        builder.set_file(self.bytes);
        if let Some(content_type) = &self.options.content_type {
            builder.content_type(content_type);
        }
        builder.build()
    }

    /// A refusal that is no doubt, as the caller is to be told it.
    fn told(&self, error: Error) -> Error {
        let is_conditional = self.options.if_not_exists || self.options.if_match.is_some();
        match error.kind() {
            // Another write with a condition came first, and this one was not even looked at.
            ErrorKind::Conflict if is_conditional && !error.is_temporary() => {
                Error::new(ErrorKind::ConditionNotMatch, "another write came first").set_source(error)
            }
            // An upload that is gone: a rule of the bucket or another client aborted it.
            ErrorKind::NotFound => {
                let told = larder_core::Error::new(
                    larder_core::ErrorKind::Unavailable,
                    "the upload was aborted by the service or by someone else",
                )
                .caused_by(error);
                Error::new(ErrorKind::Unexpected, "the upload is gone").set_source(told)
            }
            _ => error,
        }
    }
}

/// Whether the error says that this attempt made nothing visible.
fn is_refusal(error: &Error) -> bool {
    use ErrorKind as Kind;
    match error.kind() {
        Kind::ConditionNotMatch | Kind::NotFound | Kind::Conflict | Kind::AlreadyExists => true,
        Kind::PermissionDenied | Kind::RateLimited | Kind::Unsupported | Kind::ConfigInvalid => true,
        _ => never_reached(error),
    }
}

/// The same error, of a write that may have happened.
fn unsure(error: Error) -> Error {
    let (kind, is_temporary) = (error.kind(), error.is_temporary());
    let told = crate::object::error(error).effect(larder_core::Effect::Unknown);
    Error::new(kind, "the blob may have been written").with_temporary(is_temporary).set_source(told)
}

/// Whether a repetition may be refused so because the first attempt succeeded.
fn is_own_effect(kind: ErrorKind) -> bool {
    use ErrorKind as Kind;
    matches!(kind, Kind::ConditionNotMatch | Kind::NotFound | Kind::Conflict | Kind::AlreadyExists)
}
