//! When a blob becomes visible, and what readers of a blob that is replaced may see.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use opendal::{ErrorKind, Operator};

use super::case::{Case, Failure, Stage, Verdict, bytes, ensure};

pub(super) const CASES: &[Case] = &[
    Case {
        feature: "atomic",
        name: "nothing is visible before a writer is closed",
        needs: |_| true,
        is_refusal: false,
        run: |stage| Box::pin(invisible(stage)),
    },
    Case {
        feature: "atomic",
        name: "an aborted or dropped writer leaves what was there",
        needs: |_| true,
        is_refusal: false,
        run: |stage| Box::pin(given_up(stage)),
    },
    Case {
        feature: "atomic",
        name: "readers of a blob that is replaced see one version or a conflict, never a mixture",
        needs: |_| true,
        is_refusal: false,
        run: |stage| Box::pin(replaced(stage)),
    },
];

const MIB: usize = 1 << 20;

async fn paths(operator: &Operator) -> Result<Vec<String>, opendal::Error> {
    let capability = operator.info().capability();
    if !capability.list {
        return Ok(Vec::new());
    }
    let listed = operator.list_with("/").recursive(capability.list_with_recursive).await?;
    Ok(listed
        .into_iter()
        .filter(|entry| entry.metadata().is_file())
        .map(|entry| entry.path().to_owned())
        .collect())
}

async fn invisible(stage: &Stage) -> Verdict {
    let content = bytes(stage.options.seed, 3 * MIB + 1);
    let mut writer = stage.operator.writer_with("a").chunk(MIB).await?;
    for piece in content.chunks(MIB / 2) {
        writer.write(piece.to_vec()).await?;
        stage.missing("a").await?;
        let listed = paths(&stage.operator).await?;
        ensure!(listed.is_empty(), "an unfinished blob is listed: {listed:?}");
    }
    writer.close().await?;
    stage.holds("a", &content).await
}

async fn given_up(stage: &Stage) -> Verdict {
    stage.operator.write("old", "old").await?;
    for length in [10, 3 * MIB] {
        for path in ["old", "new"] {
            let mut writer = stage.operator.writer_with(path).chunk(MIB).await?;
            writer.write(bytes(1, length)).await?;
            writer.abort().await?;
            let mut writer = stage.operator.writer_with(path).chunk(MIB).await?;
            writer.write(bytes(2, length)).await?;
            drop(writer);
        }
        stage.holds("old", b"old").await?;
        stage.missing("new").await?;
        let listed = paths(&stage.operator).await?;
        ensure!(listed.iter().all(|path| path == "old"), "what was given up is listed: {listed:?}");
    }
    Ok(())
}

/// How many times as many overwrites as asked for may pass without a reader that comes through.
const READERLESS_MAX: u32 = 100;

/// A blob whose every byte is `version`, of a length that the version decides.
fn version(number: u32) -> Vec<u8> {
    let length = if number.is_multiple_of(2) { 5_000 } else { 2 * MIB + 500 };
    vec![u8::try_from(number % 251).unwrap_or(0); length + number as usize]
}

async fn replaced(stage: &Stage) -> Verdict {
    let overwrites = stage.options.overwrites;
    stage.operator.write("a", version(0)).await?;
    let seen = Arc::new(AtomicU64::new(0));
    let writer = {
        let (operator, seen) = (stage.operator.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            // Goes on past the overwrites that were asked for until a reader came through, or it would depend on the
            // scheduler whether one does; it gives up where none ever does.
            let mut last = 0;
            for number in 1..=overwrites.saturating_mul(READERLESS_MAX) {
                if number > overwrites && seen.load(Ordering::SeqCst) > 0 {
                    break;
                }
                last = number % overwrites.saturating_add(1);
                operator.write_with("a", version(last)).chunk(MIB).await?;
                // A store that never waits would leave a single thread to the writer alone.
                tokio::task::yield_now().await;
            }
            Ok::<u32, opendal::Error>(last)
        })
    };
    while !writer.is_finished() {
        match stage.operator.read("a").await {
            Ok(read) => {
                let read = read.to_bytes();
                let first = read.first().copied().unwrap_or_default();
                let is_whole = (0..=overwrites).any(|number| version(number).len() == read.len());
                ensure!(
                    is_whole && read.iter().all(|byte| *byte == first),
                    "{} bytes of more than one version",
                    read.len()
                );
                seen.fetch_add(1, Ordering::SeqCst);
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error.into()),
        }
        tokio::task::yield_now().await;
    }
    let last = writer.await?.map_err(Failure::from)?;
    let seen = seen.load(Ordering::SeqCst);
    ensure!(seen > 0 || overwrites == 0, "no reader came through");
    stage.holds("a", &version(last)).await
}
