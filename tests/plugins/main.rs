//! Plugins through the host: loading, calling, swapping.

mod host;
