//! What plugins say, by the contract's `log` interface or on their standard streams, goes to the host's tracing
//! with the plugin's name. Lines are cut and counted, and those that come too fast are dropped, so that a chatty plugin can't
//! fill a disk.

mod bucket;

use std::sync::Arc;

use bytes::Bytes;
use larder_core::Clock;
use tokio::io::AsyncWrite;
use tracing::Level;
use wasmtime::component::{ComponentType, Lift, Linker};
use wasmtime_wasi::{
    async_trait,
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use self::bucket::Fate;
pub(crate) use self::bucket::LogBudget;
use crate::{convert::printable, options::PluginOptions, state::State};

/// Longest line, in bytes; the rest is cut.
const LINE_BYTES_MAX: usize = 4 << 10;
/// What a guest may write to a standard stream at once.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// Writes a plugin's lines.
#[derive(Clone)]
pub(crate) struct Logger {
    plugin: Arc<str>,
    budget: Arc<LogBudget>,
    per_second: u32,
    clock: Arc<dyn Clock>,
}

impl Logger {
    pub(crate) fn new(options: &PluginOptions) -> Self {
        Self {
            plugin: options.name.as_str().into(),
            budget: Arc::clone(&options.log),
            per_second: options.limits.log_lines,
            clock: Arc::clone(&options.clock),
        }
    }

    fn line(&self, level: Level, line: &str) {
        let plugin = &*self.plugin;
        match self.budget.line(self.clock.now(), self.per_second) {
            Fate::Write => {}
            Fate::WriteAfter(dropped) => {
                tracing::warn!(plugin, dropped, "lines of the plugin came too fast and were dropped");
            }
            Fate::Drop => return,
            Fate::DropFirst => {
                let per_second = self.per_second;
                tracing::warn!(
                    plugin,
                    per_second,
                    "the plugin says too much: lines are dropped, and counted"
                );
                return;
            }
        }
        let line = printable(line, LINE_BYTES_MAX);
        match level {
            Level::ERROR => tracing::error!(plugin, "{line}"),
            Level::WARN => tracing::warn!(plugin, "{line}"),
            Level::INFO => tracing::info!(plugin, "{line}"),
            Level::DEBUG => tracing::debug!(plugin, "{line}"),
            Level::TRACE => tracing::trace!(plugin, "{line}"),
        }
    }
}

#[derive(Debug, Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "guests make them; wasmtime lifts them by their numbers")]
enum WitLevel {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

impl From<WitLevel> for Level {
    fn from(level: WitLevel) -> Self {
        match level {
            WitLevel::Trace => Self::TRACE,
            WitLevel::Debug => Self::DEBUG,
            WitLevel::Info => Self::INFO,
            WitLevel::Warn => Self::WARN,
            WitLevel::Error => Self::ERROR,
        }
    }
}

/// Links `larder:store/log`.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(crate::bindings::LOG)?.func_wrap("log", |store, (level, line): (WitLevel, Box<str>)| {
        store.data().logger.line(level.into(), &line);
        Ok(())
    })
}

/// A standard stream that becomes log lines. Never blocks.
pub(crate) struct LogStream {
    logger: Logger,
    level: Level,
    partial: Vec<u8>,
}

impl LogStream {
    pub(crate) fn new(options: &PluginOptions, level: Level) -> Self {
        Self { logger: Logger::new(options), level, partial: Vec::new() }
    }

    fn push(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            let room = LINE_BYTES_MAX.saturating_sub(self.partial.len());
            self.partial.extend(part.iter().take(room));
            if part.ends_with(b"\n") {
                self.emit();
            }
        }
    }

    fn emit(&mut self) {
        let line = String::from_utf8_lossy(&self.partial);
        let line = line.trim_end();
        if !line.is_empty() {
            self.logger.line(self.level, line);
        }
        self.partial.clear();
    }
}

impl Drop for LogStream {
    fn drop(&mut self) {
        self.emit();
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this form, and no engine of larder offers that.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Self { logger: self.logger.clone(), level: self.level, partial: Vec::new() })
    }
}

#[async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}
