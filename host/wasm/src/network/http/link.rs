//! The functions of `wasi:http` in a linker: wasmtime-wasi-http's, but for two that tell a guest what failed.
//!
//! wasmtime-wasi-http looks for another type than its own bodies fail with, so that a guest would never learn the code of a
//! failed body. And an error's text would hold the host's own backtrace wherever `RUST_BACKTRACE` is set.

use wasmtime::{
    Result, StoreContextMut,
    component::{Linker, Resource},
};
use wasmtime_wasi_http::{
    Error,
    p2::bindings::http::types::{ErrorCode, IoError},
};

use super::error::code;
use crate::state::State;

/// The interfaces, by the names that they are linked under.
const TYPES: &str = "wasi:http/types@0.2.12";
const ERROR: &str = "wasi:io/error@0.2.12";

/// Adds HTTP to a linker that has wasmtime-wasi's interfaces.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    linker.instance(TYPES)?.func_wrap("http-error-code", http_error_code)?;
    linker.instance(ERROR)?.func_wrap("[method]error.to-debug-string", text)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn http_error_code(
    mut store: StoreContextMut<'_, State>,
    (error,): (Resource<IoError>,),
) -> Result<(Option<ErrorCode>,)> {
    let error = store.data_mut().table().get(&error)?;
    let known = error.downcast_ref::<ErrorCode>().cloned();
    Ok((known.or_else(|| error.downcast_ref::<Error>().map(code)),))
}

/// What failed and why, from the outside in.
fn text(mut store: StoreContextMut<'_, State>, (error,): (Resource<IoError>,)) -> Result<(String,)> {
    let error = store.data_mut().table().get(&error)?;
    Ok((format!("{error:#}"),))
}
