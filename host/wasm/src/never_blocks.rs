//! WASI for plugins that are called inline, on the caller's thread.
//!
//! wasmtime-wasi's synchronous interfaces wait by blocking on the runtime, which panics on a runtime's thread,
//! even when a stream is only dropped. Here the same host functions are polled once: what is ready is
//! done, and what would have to wait is a trap. Files are linked, because the standard library imports them, and can't
//! be reached, because no folder is granted.

use futures::FutureExt as _;
use wasmtime::{
    Result, bail,
    component::{HasData, Linker, Resource, ResourceTable},
};
use wasmtime_wasi::{
    WasiView as _,
    cli::{WasiCli, WasiCliView as _},
    clocks::{WasiClocks, WasiClocksView as _},
    filesystem::{WasiFilesystem, WasiFilesystemView as _},
    p2::{
        DynInputStream, DynOutputStream, DynPollable, StreamError, StreamResult,
        bindings::{
            cli, clocks, filesystem, io as waiting, random,
            sync::{
                filesystem as sync_filesystem,
                io::{poll, streams},
            },
        },
    },
    random::WasiRandom,
};

use crate::state::State;

/// Links all of WASI 0.2 that an inline plugin may import.
pub(crate) fn add_to_linker(l: &mut Linker<State>) -> Result<()> {
    clocks::wall_clock::add_to_linker::<State, WasiClocks>(l, State::clocks)?;
    clocks::monotonic_clock::add_to_linker::<State, WasiClocks>(l, State::clocks)?;
    random::random::add_to_linker::<State, WasiRandom>(l, |s| s.ctx().ctx.random())?;
    random::insecure::add_to_linker::<State, WasiRandom>(l, |s| s.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(l, |s| s.ctx().ctx.random())?;
    cli::exit::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::environment::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    filesystem::preopens::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    sync_filesystem::types::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    waiting::error::add_to_linker::<State, Table>(l, State::table)?;
    poll::add_to_linker::<State, NeverBlocks>(l, |s| Once(s.table()))?;
    streams::add_to_linker::<State, NeverBlocks>(l, |s| Once(s.table()))?;
    Ok(())
}

struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

struct NeverBlocks;

impl HasData for NeverBlocks {
    type Data<'a> = Once<'a>;
}

/// Polls each waiting function once.
struct Once<'a>(&'a mut ResourceTable);

/// The answer of a future that is ready at once, or a trap.
fn now<T>(future: impl Future<Output = T>) -> Result<T> {
    match future.now_or_never() {
        Some(value) => Ok(value),
        None => bail!(
            "the plugin asked to wait, which one that is called inline may not; configure `mode: fiber`"
        ),
    }
}

fn stream_now<T>(future: impl Future<Output = StreamResult<T>>) -> StreamResult<T> {
    now(future).map_err(StreamError::Trap)?
}

impl poll::Host for Once<'_> {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> Result<Vec<u32>> {
        now(waiting::poll::Host::poll(self.0, pollables))?
    }
}

impl poll::HostPollable for Once<'_> {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> Result<bool> {
        now(waiting::poll::HostPollable::ready(self.0, pollable))?
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        now(waiting::poll::HostPollable::block(self.0, pollable))?
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        waiting::poll::HostPollable::drop(self.0, pollable)
    }
}

impl streams::Host for Once<'_> {
    fn convert_stream_error(&mut self, error: StreamError) -> Result<streams::StreamError> {
        Ok(waiting::streams::Host::convert_stream_error(self.0, error)?.into())
    }
}

impl streams::HostInputStream for Once<'_> {
    fn drop(&mut self, stream: Resource<DynInputStream>) -> Result<()> {
        now(waiting::streams::HostInputStream::drop(self.0, stream))?
    }

    fn read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        waiting::streams::HostInputStream::read(self.0, stream, len)
    }

    fn blocking_read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        stream_now(waiting::streams::HostInputStream::blocking_read(self.0, stream, len))
    }

    fn skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        waiting::streams::HostInputStream::skip(self.0, stream, len)
    }

    fn blocking_skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        stream_now(waiting::streams::HostInputStream::blocking_skip(self.0, stream, len))
    }

    fn subscribe(&mut self, stream: Resource<DynInputStream>) -> Result<Resource<DynPollable>> {
        waiting::streams::HostInputStream::subscribe(self.0, stream)
    }
}

impl streams::HostOutputStream for Once<'_> {
    fn drop(&mut self, stream: Resource<DynOutputStream>) -> Result<()> {
        now(waiting::streams::HostOutputStream::drop(self.0, stream))?
    }

    fn check_write(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<u64> {
        waiting::streams::HostOutputStream::check_write(self.0, stream)
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        waiting::streams::HostOutputStream::write(self.0, stream, bytes)
    }

    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        stream_now(waiting::streams::HostOutputStream::blocking_write_and_flush(self.0, stream, bytes))
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        len: u64,
    ) -> StreamResult<()> {
        stream_now(waiting::streams::HostOutputStream::blocking_write_zeroes_and_flush(self.0, stream, len))
    }

    fn subscribe(&mut self, stream: Resource<DynOutputStream>) -> Result<Resource<DynPollable>> {
        waiting::streams::HostOutputStream::subscribe(self.0, stream)
    }

    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, len: u64) -> StreamResult<()> {
        waiting::streams::HostOutputStream::write_zeroes(self.0, stream, len)
    }

    fn flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        waiting::streams::HostOutputStream::flush(self.0, stream)
    }

    fn blocking_flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        stream_now(waiting::streams::HostOutputStream::blocking_flush(self.0, stream))
    }

    fn splice(
        &mut self,
        target: Resource<DynOutputStream>,
        source: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        waiting::streams::HostOutputStream::splice(self.0, target, source, len)
    }

    fn blocking_splice(
        &mut self,
        target: Resource<DynOutputStream>,
        source: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        stream_now(waiting::streams::HostOutputStream::blocking_splice(self.0, target, source, len))
    }
}
