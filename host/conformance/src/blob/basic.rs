//! Whole blobs, ranges, deletes, copies and paths.

use opendal::ErrorKind;

use super::case::{Case, Stage, Verdict, bytes, ensure, refused};

pub(super) const CASES: &[Case] = &[
    Case {
        feature: "put-get",
        name: "what was never written is missing",
        needs: |_| true,
        is_refusal: false,
        run: |stage| Box::pin(stage.missing("a/b")),
    },
    Case {
        feature: "put-get",
        name: "what is written is read back, and an overwrite replaces all of it",
        needs: |_| true,
        is_refusal: false,
        run: |stage| Box::pin(overwrite(stage)),
    },
    Case {
        feature: "put-get",
        name: "large blobs in pieces of odd sizes are read back, also with parts in flight",
        needs: |_| true,
        is_refusal: false,
        run: |stage| Box::pin(large(stage)),
    },
    Case {
        feature: "range",
        name: "a range has just its bytes, and past the end there are none",
        needs: |_| true,
        is_refusal: false,
        run: |stage| Box::pin(ranges(stage)),
    },
    Case {
        feature: "delete",
        name: "a deleted blob is missing, and deleting what is missing succeeds",
        needs: |_| true,
        is_refusal: false,
        run: |stage| Box::pin(delete(stage)),
    },
    Case {
        feature: "copy",
        name: "a copy has the bytes of its source, replaces its target and lives on by itself",
        needs: |c| c.copy,
        is_refusal: false,
        run: |stage| Box::pin(copy(stage)),
    },
    Case {
        feature: "copy",
        name: "copying is refused",
        needs: |c| !c.copy,
        is_refusal: true,
        run: |stage| Box::pin(copy_refused(stage)),
    },
    Case {
        feature: "paths",
        name: "paths may hold any letters and spaces",
        needs: |_| true,
        is_refusal: false,
        run: |stage| Box::pin(letters(stage)),
    },
    Case {
        feature: "paths",
        name: "a path with `..` reaches no other blob",
        needs: |_| true,
        is_refusal: false,
        run: |stage| Box::pin(dots(stage)),
    },
];

async fn overwrite(stage: &Stage) -> Verdict {
    for (number, length) in [3, 0, 100_000, 1, 4_096, 0].into_iter().enumerate() {
        let content = bytes(number as u64 + 1, length);
        let answer = stage.operator.write("a/b", content.clone()).await?;
        ensure!(
            answer.content_length() == length as u64,
            "the answer to a write of {length} bytes: {answer:?}"
        );
        stage.holds("a/b", &content).await?;
    }
    Ok(())
}

async fn large(stage: &Stage) -> Verdict {
    const MIB: usize = 1 << 20;
    for (number, (length, piece, concurrent)) in
        [(5 * MIB + 7, 37_123, 1), (3 * MIB, MIB, 4), (2 * MIB + 1, 2 * MIB, 1), (MIB, 1_000, 2)]
            .into_iter()
            .enumerate()
    {
        let content = bytes(stage.options.seed ^ number as u64, length);
        let mut writer = stage.operator.writer_with("large").chunk(MIB).concurrent(concurrent).await?;
        for piece in content.chunks(piece) {
            writer.write(piece.to_vec()).await?;
        }
        writer.close().await?;
        stage.holds("large", &content).await?;
    }
    Ok(())
}

async fn ranges(stage: &Stage) -> Verdict {
    let length = (2 << 20) + 11;
    let content = bytes(stage.options.seed, length);
    stage.operator.write("a", content.clone()).await?;
    for (start, end) in
        [(0, 1), (0, length), (5, 4_000), ((1 << 20) - 1, (1 << 20) + 1), (length - 1, length), (7, 7)]
    {
        let read = stage.operator.read_with("a").range(start as u64..end as u64).await?.to_bytes();
        ensure!(
            Some(&read[..]) == content.get(start..end),
            "{start}..{end}: other bytes, {} of them",
            read.len()
        );
    }
    let read = stage.operator.read_with("a").range(length as u64 - 3..).await?.to_bytes();
    ensure!(content.ends_with(&read) && read.len() == 3, "the last three bytes are {}", read.len());
    // OpenDAL refuses what reaches past the end; whoever answers must answer with what there is.
    for (start, end) in
        [(length as u64, length as u64 + 5), (length as u64 - 2, length as u64 + 5), (1 << 40, 1 << 41)]
    {
        let read = stage.operator.read_with("a").range(start..end).await;
        let expected = usize::try_from(start).ok().and_then(|start| content.get(start..)).unwrap_or_default();
        if let Ok(read) = read {
            ensure!(read.to_bytes() == expected, "{start}..{end} of {length}: bytes that are not there");
        }
    }
    Ok(())
}

async fn delete(stage: &Stage) -> Verdict {
    for path in ["a/b", "a/c", "d"] {
        stage.operator.write(path, "x").await?;
    }
    stage.operator.delete("a/b").await?;
    stage.operator.delete("a/b").await?;
    stage.operator.delete("never/there").await?;
    stage.missing("a/b").await?;
    stage.holds("a/c", b"x").await?;
    stage.operator.delete_iter(["a/c", "never", "d"]).await?;
    stage.missing("a/c").await?;
    stage.missing("d").await
}

async fn copy(stage: &Stage) -> Verdict {
    let content = bytes(stage.options.seed, (1 << 20) + 5);
    stage.operator.write("source", content.clone()).await?;
    stage.operator.write("b/target", "old").await?;
    stage.operator.copy("source", "b/target").await?;
    stage.operator.delete("source").await?;
    stage.holds("b/target", &content).await?;
    let missing = stage.operator.copy("source", "b/target").await;
    ensure!(missing.is_err(), "a copy of what is not there succeeded");
    stage.holds("b/target", &content).await
}

async fn copy_refused(stage: &Stage) -> Verdict {
    stage.operator.write("source", "x").await?;
    refused("copy", stage.operator.copy("source", "target").await, ErrorKind::Unsupported)?;
    stage.missing("target").await
}

async fn letters(stage: &Stage) -> Verdict {
    let paths = ["a b/c d", "ü/日本語.html", "…", "a\\b", "%2e%2e", "a+b&c=d?e#f", "'\"", "🦀/🦀/🦀"];
    for path in paths {
        stage.operator.write(path, path).await?;
    }
    for path in paths {
        stage.holds(path, path.as_bytes()).await?;
    }
    Ok(())
}

async fn dots(stage: &Stage) -> Verdict {
    stage.operator.write("x", "own").await?;
    stage.operator.write("a/y", "own").await?;
    for path in ["a/../x", "../x", "a/./y", "a/b/../../x"] {
        // Refused or kept under its own name: either way the others stay as they are.
        if let Ok(read) = stage.operator.read(path).await {
            ensure!(read.to_bytes() != "own", "{path} reads another blob");
        }
        let written = stage.operator.write(path, "other").await;
        stage.holds("x", b"own").await?;
        stage.holds("a/y", b"own").await?;
        if written.is_ok() {
            stage.holds(path, b"other").await?;
        }
    }
    Ok(())
}
