//! Listings.

use futures::TryStreamExt;

use super::case::{Case, Stage, Verdict, ensure};

pub(super) const CASES: &[Case] = &[
    Case {
        feature: "list",
        name: "a listing has what begins with its prefix, and folders end in `/`",
        needs: |c| c.list,
        is_refusal: false,
        run: |stage| Box::pin(folders(stage)),
    },
    Case {
        feature: "list",
        name: "a listing of what is not there is empty",
        needs: |c| c.list,
        is_refusal: false,
        run: |stage| Box::pin(nothing(stage)),
    },
    Case {
        feature: "list-recursive",
        name: "a recursive listing has each blob once, ascending by the bytes of the paths, with its size",
        needs: |c| c.list && c.list_with_recursive,
        is_refusal: false,
        run: |stage| Box::pin(recursive(stage)),
    },
    Case {
        feature: "list-recursive",
        name: "a listing longer than a page goes on to its end",
        needs: |c| c.list && c.list_with_recursive,
        is_refusal: false,
        run: |stage| Box::pin(pages(stage)),
    },
];

const PATHS: [&str; 9] = ["a!", "a-b", "a/b c", "a/b/c", "a/b/d/e", "a/z", "b", "c/d", "ü/日"];

/// Writes at once, so that a durable store syncs some of them together.
const TASKS: usize = 8;

async fn write_all(stage: &Stage) -> Verdict {
    for (number, path) in PATHS.iter().enumerate() {
        stage.operator.write(path, vec![1; number]).await?;
    }
    Ok(())
}

async fn listed(stage: &Stage, path: &str, recursive: bool) -> Verdict<Vec<(String, u64)>> {
    let lister = stage.operator.lister_with(path).recursive(recursive).await?;
    let entries: Vec<_> = lister.try_collect().await?;
    // Some services list the folder itself.
    let entries = entries.into_iter().filter(|entry| entry.path() != path && entry.path() != "/");
    Ok(entries.map(|entry| (entry.path().to_owned(), entry.metadata().content_length())).collect())
}

async fn folders(stage: &Stage) -> Verdict {
    write_all(stage).await?;
    for (path, expected) in [
        ("/", vec!["a!", "a-b", "a/", "b", "c/", "ü/"]),
        ("a/", vec!["a/b c", "a/b/", "a/z"]),
        ("a/b/", vec!["a/b/c", "a/b/d/"]),
        ("c/", vec!["c/d"]),
    ] {
        let got: Vec<String> = listed(stage, path, false).await?.into_iter().map(|(path, _)| path).collect();
        ensure!(got == expected, "below {path}: {got:?}, expected {expected:?}");
    }
    Ok(())
}

async fn nothing(stage: &Stage) -> Verdict {
    for path in ["/", "a/", "a/b/"] {
        let got = listed(stage, path, false).await?;
        ensure!(got.is_empty(), "below {path} of an empty store: {got:?}");
    }
    stage.operator.write("a/b", "x").await?;
    stage.operator.delete("a/b").await?;
    let got = listed(stage, "a/", false).await?;
    ensure!(got.is_empty(), "after the last blob went: {got:?}");
    Ok(())
}

async fn recursive(stage: &Stage) -> Verdict {
    write_all(stage).await?;
    for prefix in ["", "a/", "a/b/", "c/", "none/"] {
        let place = if prefix.is_empty() { "/" } else { prefix };
        let got = listed(stage, place, true).await?;
        let got: Vec<_> = got.into_iter().filter(|(path, _)| !path.ends_with('/')).collect();
        let sizes = PATHS.iter().zip(0_u64..).filter(|(path, _)| path.starts_with(prefix));
        let expected: Vec<_> = sizes.map(|(path, size)| ((*path).to_owned(), size)).collect();
        ensure!(got == expected, "below {place}: {got:?}, expected {expected:?}");
    }
    Ok(())
}

async fn pages(stage: &Stage) -> Verdict {
    let count = stage.options.listed;
    let paths: Vec<String> = (0..count).map(|number| format!("f{}/{number:05}", number / 700)).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for path in &paths {
        if tasks.len() >= TASKS
            && let Some(written) = tasks.join_next().await
        {
            written??;
        }
        let (operator, path) = (stage.operator.clone(), path.clone());
        tasks.spawn(async move { operator.write(&path, "x").await.map(drop) });
    }
    while let Some(written) = tasks.join_next().await {
        written??;
    }
    let got: Vec<String> = listed(stage, "/", true).await?.into_iter().map(|(path, _)| path).collect();
    let first = got.iter().zip(&paths).find(|(got, expected)| got != expected);
    ensure!(got == paths, "{} of {count} blobs; the first that differs: {first:?}", got.len());
    Ok(())
}
