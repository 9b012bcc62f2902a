//! The functions of `wasi:http` in a linker: wasmtime-wasi-http's, but for three.
//!
//! Two tell a guest what failed, and one sends.
//! wasmtime-wasi-http looks for another type than its own bodies fail with, so that a guest would never learn the code of a
//! failed body. And an error's text would hold the host's own backtrace wherever `RUST_BACKTRACE` is set. And the options of a request,
//! which a guest gives away with it, would stay in the table of its instance, so that each request took one handle for good.

use wasmtime::{
    Result, StoreContextMut,
    component::{Linker, Resource},
};
use wasmtime_wasi_http::{
    Error, WasiHttpView as _,
    p2::bindings::http::{
        outgoing_handler::Host as _,
        types::{ErrorCode, FutureIncomingResponse, IoError, OutgoingRequest, RequestOptions},
    },
};

use super::error::code;
use crate::state::State;

/// The interfaces, by the names that they are linked under.
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";
const TYPES: &str = "wasi:http/types@0.2.12";
const ERROR: &str = "wasi:io/error@0.2.12";

/// Adds HTTP to a linker that has wasmtime-wasi's interfaces.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    linker.instance(HANDLER)?.func_wrap("handle", handle)?;
    linker.instance(TYPES)?.func_wrap("http-error-code", http_error_code)?;
    linker.instance(ERROR)?.func_wrap("[method]error.to-debug-string", text)?;
    linker.allow_shadowing(false);
    Ok(())
}

type Handled = std::result::Result<Resource<FutureIncomingResponse>, ErrorCode>;

/// Sends a request, and drops its options.
fn handle(
    mut store: StoreContextMut<'_, State>,
    (request, options): (Resource<OutgoingRequest>, Option<Resource<RequestOptions>>),
) -> Result<(Handled,)> {
    let mut http = store.data_mut().http();
    // It copies them.
    let lent = options.as_ref().map(|options| Resource::new_borrow(options.rep()));
    let handled = http.handle(request, lent);
    if let Some(options) = options {
        http.table.delete(options)?;
    }
    Ok((match handled {
        Ok(pending) => Ok(pending),
        Err(error) => Err(error.downcast()?),
    },))
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
