//! Native storage backends of larder.

pub mod object;
pub mod file;
