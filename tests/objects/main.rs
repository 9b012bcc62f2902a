//! Blobs on a remote service that answers late, twice, wrongly or not at all.
//!
//! The server is real (`s3s-fs` over HTTP on the loopback); what it does wrong stands in its script, request by
//! request, so that nothing here depends on time or luck.

mod answers;
mod doubt;
mod places;
mod reading;

use larder_backends::object::{Guards, S3Options};
use larder_core::Error;
use larder_tests::servers::s3::{ACCESS_KEY, S3Server, SECRET_KEY};
use opendal::Operator;

const BUCKET: &str = "larder";

/// The smallest part that S3 takes.
const PART_BYTES: usize = 5 << 20;

fn server() -> S3Server {
    let server = S3Server::start().expect("a server");
    server.make_bucket(BUCKET);
    server
}

fn options(server: &S3Server) -> S3Options {
    let options = S3Options::new(BUCKET).endpoint(server.endpoint()).keys(ACCESS_KEY, SECRET_KEY, None);
    options.parts(PART_BYTES, 2)
}

/// A store with guards. What its opening asked is forgotten.
async fn store(server: &S3Server) -> Operator {
    let options = options(server).into_object().expect("options").guards(Guards::remote());
    let store = options.open().await.expect("a store");
    server.script().take_seen();
    store
}

/// The requests of a method since the last look.
fn seen(server: &S3Server, method: &str) -> Vec<String> {
    server.script().take_seen().into_iter().filter(|request| request.starts_with(method)).collect()
}

/// Bytes that differ by place and by `seed`.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn told(error: opendal::Error) -> Error {
    larder_backends::object::error(error)
}
