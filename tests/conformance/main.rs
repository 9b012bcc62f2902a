//! The conformance suite over every backend and plugin that ships.
