//! The contract of larder's backends as code.
