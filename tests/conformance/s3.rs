//! Blobs in S3, on two emulators of different authors, each case below a prefix of its own in one bucket.
//!
//! Where the emulators are wrong, and what follows:
//!
//! * `s3s-fs` looks at a condition and writes afterwards, and tells an upload that is complete as somebody else's.
//!   `larder_tests::servers::s3::Atomic` puts that right under the real HTTP server, so that it declares all.
//! * `s3s-fs` keeps keys as files: `a` and `a/b` can't both be there. No case of the suite asks for it.
//! * `moto` does not look at conditions when an upload in parts is completed, so that `if-absent` and `if-match`
//!   hold for small blobs alone. They are not declared for it, and then must be refused.

use std::sync::atomic::{AtomicU32, Ordering};

use larder_backends::object::{Conditions, Guards, ObjectOptions, S3Options};
use larder_conformance::blob;
use larder_core::{BoxFuture, Result};
use larder_tests::servers::{
    moto::Moto,
    s3::{ACCESS_KEY, S3Server, SECRET_KEY},
};
use opendal::Operator;

use super::keep;

const BUCKET: &str = "conformance";

/// The smallest part that S3 takes: the suite's largest blobs are sent in two.
const PART_BYTES: usize = 5 << 20;

/// A bucket, and a prefix in it per store.
struct Bucket {
    name: &'static str,
    endpoint: String,
    stores: AtomicU32,
    conditions: Conditions,
}

impl Bucket {
    fn options(&self, prefix: &str) -> ObjectOptions {
        let options = S3Options::new(BUCKET)
            .endpoint(&self.endpoint)
            .prefix(prefix)
            .keys(ACCESS_KEY, SECRET_KEY, None)
            .parts(PART_BYTES, 2);
        options.into_object().expect("options of S3").guards(Guards::remote()).conditions(self.conditions)
    }
}

impl blob::Subject for Bucket {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn fresh(&self) -> BoxFuture<'_, Result<Operator>> {
        let number = self.stores.fetch_add(1, Ordering::Relaxed);
        // Prefixes that begin alike: `case-1` must not see `case-10`.
        let options = self.options(&format!("case-{number}"));
        Box::pin(async move { options.open().await })
    }
}

async fn holds(bucket: &Bucket) {
    let report = blob::run(bucket, &blob::Options::default()).await;
    keep(&report);
    assert!(report.holds(), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_keeps_the_contract() {
    let server = S3Server::start().expect("a server");
    server.make_bucket(BUCKET);
    let stores = AtomicU32::new(0);
    holds(&Bucket { name: "s3", endpoint: server.endpoint(), stores, conditions: Conditions::Kept }).await;
    assert_eq!(server.unfinished_uploads(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_keeps_the_contract_on_another_emulator() {
    let server = tokio::task::spawn_blocking(Moto::start).await.expect("no panic").expect("a server");
    make_bucket(&server.endpoint()).await;
    let stores = AtomicU32::new(0);
    holds(&Bucket {
        name: "s3 (moto)",
        endpoint: server.endpoint(),
        stores,
        conditions: Conditions::Ignored,
    })
    .await;
}

/// A bucket is made by whoever owns the account, not by larder: with one request, as `moto` takes it unsigned.
async fn make_bucket(endpoint: &str) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = endpoint.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("the server listens");
    let request = format!(
        "PUT /{BUCKET} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the server answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "no bucket: {answer}");
}
