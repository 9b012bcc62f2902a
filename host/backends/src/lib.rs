//! Native storage backends of larder.
