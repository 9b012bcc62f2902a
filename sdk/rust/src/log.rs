//! Lines for the host's log.

/// How much a line matters.
pub use crate::bindings::lifecycle::larder::store::log::Level;

/// Writes a line to the host's log; one that is too long is cut there. The macros [`trace!`](crate::trace),
/// [`debug!`](crate::debug), [`info!`](crate::info), [`warn!`](crate::warn) and [`error!`](crate::error!) format it.
pub fn write_line(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::lifecycle::larder::store::log::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    {
        use std::io::Write;
        // A test's standard error that is closed is no reason to fail.
        drop(writeln!(std::io::stderr(), "{level:?}: {message}"));
    }
}

/// Writes a formatted line to the host's log: `log!(Level::Info, "{} entries", count)`.
#[macro_export]
macro_rules! log {
    ($level:expr, $($text:tt)+) => {
        $crate::write_line($level, &::std::format!($($text)+))
    };
}

/// A line for the plugin's author: each step.
#[macro_export]
macro_rules! trace {
    ($($text:tt)+) => { $crate::log!($crate::Level::Trace, $($text)+) };
}

/// A line for the plugin's author: decisions.
#[macro_export]
macro_rules! debug {
    ($($text:tt)+) => { $crate::log!($crate::Level::Debug, $($text)+) };
}

/// A line about a rare event in the ordinary course.
#[macro_export]
macro_rules! info {
    ($($text:tt)+) => { $crate::log!($crate::Level::Info, $($text)+) };
}

/// A line about something that a person may want to look at.
#[macro_export]
macro_rules! warn {
    ($($text:tt)+) => { $crate::log!($crate::Level::Warn, $($text)+) };
}

/// A line about something that a person must look at.
#[macro_export]
macro_rules! error {
    ($($text:tt)+) => { $crate::log!($crate::Level::Error, $($text)+) };
}
