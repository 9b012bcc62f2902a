//! A server that is killed under load and started again. It is a process of its own: this very test binary, told to
//! run the one test [`server`].

use std::{path::Path, path::PathBuf};

use larder_tests::{
    faults::Trial,
    servers::{Process, free_port, listens, s3::serve_folder},
};
use tokio::{net::TcpListener, task::block_in_place};

use super::{
    BUCKET, open,
    storm::{Sizes, Storm},
};

/// Names the server's folder to it.
const FOLDER: &str = "LARDER_FAULTS_S3_FOLDER";
/// Names its port.
const PORT: &str = "LARDER_FAULTS_S3_PORT";
/// Kills in a trial.
const KILLS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "no test: the process that the suite starts and kills"]
async fn server() {
    let (Some(folder), Ok(port)) = (std::env::var_os(FOLDER).map(PathBuf::from), std::env::var(PORT)) else {
        return;
    };
    let listener = TcpListener::bind(("127.0.0.1", port.parse::<u16>().unwrap())).await.unwrap();
    serve_folder(&folder, listener).await.unwrap();
}

fn start(folder: &Path, port: u16) -> Process {
    let arguments = [
        format!("{FOLDER}={}", folder.display()),
        format!("{PORT}={port}"),
        std::env::current_exe().unwrap().display().to_string(),
        "s3::killed::server".to_owned(),
        "--exact".to_owned(),
        "--ignored".to_owned(),
    ];
    let log = folder.with_extension("log");
    let mut process = Process::start(Path::new("env"), &arguments, folder, &log, None).unwrap();
    process.wait_until("S3", || listens(port)).unwrap();
    process
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_killed_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir_all(data.join(BUCKET)).unwrap();
    let port = free_port().unwrap();
    let mut process = block_in_place(|| start(&data, port));
    let trial = Trial::begin("killed and restarted", "s3");
    let mut storm = Storm::start(&open(port).await, trial.seed(), Sizes::Mixed);
    for _ in 0..KILLS {
        storm.progress(5).await;
        process.kill();
        process = block_in_place(|| start(&data, port));
        storm.recovers().await;
    }
    trial.held(storm.holds().await);
}
