//! Runs WebAssembly components as storage backends and layers of larder.
