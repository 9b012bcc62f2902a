//! SQL databases: the whole contract over PostgreSQL and SQLite, and what is particular to either.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a suite fails where its own doings do")]

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use larder_backends::sql::{SqlKv, SqlOptions};
use larder_core::{Clock, KvStore};
use larder_tests::servers::postgres::Postgres;

use super::kv_holds;

mod hosts;
mod postgres;
mod sqlite;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_the_contract() {
    kv_holds("sqlite", |place| {
        Box::pin(async move {
            let url = format!("sqlite://{}", place.folder.join("state.db").display());
            let options = SqlOptions::from_url(&url)?.clock(Some(place.clock as Arc<dyn Clock>));
            Ok(Arc::new(SqlKv::connect(options).await?) as Arc<dyn KvStore>)
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_contract() {
    let server = Postgres::start().unwrap();
    let (url, tables) = (server.url(), AtomicU32::new(0));
    kv_holds("postgres", |place| {
        let table = format!("case {}", tables.fetch_add(1, Ordering::Relaxed));
        let options = SqlOptions::from_url(&url).map(|options| options.table(table));
        Box::pin(async move {
            let options = options?.clock(Some(place.clock as Arc<dyn Clock>));
            Ok(Arc::new(SqlKv::connect(options).await?) as Arc<dyn KvStore>)
        })
    })
    .await;
}
