//! Native storage backends of larder.

pub mod file;
pub mod object;
pub mod sql;
