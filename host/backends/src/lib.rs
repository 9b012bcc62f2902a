//! Native storage backends of larder.

pub mod file;
pub mod object;
pub mod redis;
pub mod sql;
pub mod tls;
