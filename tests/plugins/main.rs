//! Plugins through the host: loading, calling, swapping.
