//! Native storage backends of larder.

pub mod object;
