//! Streams into and out of memory.

use std::{cell::RefCell, rc::Rc};

use crate::{
    Provider,
    standard::exports::wasi::io::{
        error::{self, GuestError},
        poll::{self, GuestPollable, Pollable, PollableBorrow},
        streams::{self, GuestInputStream, GuestOutputStream, InputStreamBorrow, StreamError},
    },
};

/// How much is taken at once: less than the host would like, so that it has to ask again.
const PERMITTED_BYTES: u64 = 48 << 10;

/// The body of a value.
pub(crate) struct Writing(pub(crate) Rc<RefCell<Vec<u8>>>);

/// The rest of an object.
pub(crate) struct Reading(RefCell<Vec<u8>>);

impl Reading {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(RefCell::new(bytes))
    }
}

/// Memory fails with nothing to tell.
pub(crate) struct Nothing;

/// Memory is always ready.
pub(crate) struct Ready;

impl error::Guest for Provider {
    type Error = Nothing;
}

impl GuestError for Nothing {
    fn to_debug_string(&self) -> String {
        "memory".to_owned()
    }
}

impl poll::Guest for Provider {
    type Pollable = Ready;

    fn poll(asked: Vec<PollableBorrow<'_>>) -> Vec<u32> {
        (0..).take(asked.len()).collect()
    }
}

impl GuestPollable for Ready {
    fn ready(&self) -> bool {
        true
    }

    fn block(&self) {}
}

impl streams::Guest for Provider {
    type InputStream = Reading;
    type OutputStream = Writing;
}

impl GuestInputStream for Reading {
    fn read(&self, len: u64) -> Result<Vec<u8>, StreamError> {
        let mut bytes = self.0.borrow_mut();
        if bytes.is_empty() {
            return Err(StreamError::Closed);
        }
        let count = usize::try_from(len).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes.drain(..count).collect())
    }

    fn blocking_read(&self, len: u64) -> Result<Vec<u8>, StreamError> {
        self.read(len)
    }

    fn skip(&self, len: u64) -> Result<u64, StreamError> {
        self.read(len).map(|skipped| skipped.len() as u64)
    }

    fn blocking_skip(&self, len: u64) -> Result<u64, StreamError> {
        self.skip(len)
    }

    fn subscribe(&self) -> Pollable {
        Pollable::new(Ready)
    }
}

impl GuestOutputStream for Writing {
    fn check_write(&self) -> Result<u64, StreamError> {
        Ok(PERMITTED_BYTES)
    }

    fn write(&self, contents: Vec<u8>) -> Result<(), StreamError> {
        if contents.len() as u64 > PERMITTED_BYTES {
            return Err(StreamError::Closed);
        }
        self.0.borrow_mut().extend_from_slice(&contents);
        Ok(())
    }

    fn flush(&self) -> Result<(), StreamError> {
        Ok(())
    }

    fn blocking_flush(&self) -> Result<(), StreamError> {
        Ok(())
    }

    fn blocking_write_and_flush(&self, contents: Vec<u8>) -> Result<(), StreamError> {
        self.write(contents)
    }

    fn write_zeroes(&self, len: u64) -> Result<(), StreamError> {
        self.write(vec![0; usize::try_from(len).unwrap_or(usize::MAX)])
    }

    fn blocking_write_zeroes_and_flush(&self, len: u64) -> Result<(), StreamError> {
        self.write_zeroes(len)
    }

    fn splice(&self, src: InputStreamBorrow<'_>, len: u64) -> Result<u64, StreamError> {
        let moved = src.get::<Reading>().read(len.min(PERMITTED_BYTES))?;
        let count = moved.len() as u64;
        self.write(moved)?;
        Ok(count)
    }

    fn blocking_splice(&self, src: InputStreamBorrow<'_>, len: u64) -> Result<u64, StreamError> {
        self.splice(src, len)
    }

    fn subscribe(&self) -> Pollable {
        Pollable::new(Ready)
    }
}
