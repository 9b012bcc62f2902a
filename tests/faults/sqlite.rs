//! SQLite: another process holds the database. (Processes of its own that are killed are the crash suite's business.)

use std::time::Duration;

use larder_tests::faults::Trial;
use sqlx::{Connection as _, SqliteConnection, query};
use tokio::time::sleep;

use crate::{hosts, storm::Storm};

/// How long the other one keeps writers out.
const HELD: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_else_holds_the_database_for_two_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("state.db").display());
    let trial = Trial::begin("2 s of stall", "sqlite");
    let mut storm = Storm::start(&hosts::open(&url).await, trial.seed());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    for statement in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
        storm.progress(20).await;
        // Whoever else writes is in the middle of it: one waits for one's turn.
        query("PRAGMA busy_timeout = 60000").execute(&mut other).await.unwrap();
        query(statement).execute(&mut other).await.unwrap();
        sleep(HELD).await;
        query("ROLLBACK").execute(&mut other).await.unwrap();
        storm.recovers().await;
    }
    trial.held(storm.holds().await);
}
