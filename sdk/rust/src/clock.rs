//! The time, by the host's clock: tests that turn the host's clock turn this one too.

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    #[cfg(target_arch = "wasm32")]
    {
        let now = wasip2::clocks::wall_clock::now();
        now.seconds.saturating_mul(1_000).saturating_add(u64::from(now.nanoseconds / 1_000_000))
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the seam: native tests of plugins have no other clock"
        )]
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
