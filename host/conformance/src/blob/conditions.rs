//! Writes under a condition.

use opendal::ErrorKind;

use super::case::{Case, Stage, Verdict, bytes, ensure, refused};

pub(super) const CASES: &[Case] = &[
    Case {
        feature: "if-absent",
        name: "a write where nothing may be succeeds once, and changes nothing after that",
        needs: |c| c.write_with_if_not_exists,
        is_refusal: false,
        run: |stage| Box::pin(absent(stage)),
    },
    Case {
        feature: "if-absent",
        name: "of many writers that want to be first, exactly one is",
        needs: |c| c.write_with_if_not_exists,
        is_refusal: false,
        run: |stage| Box::pin(first(stage)),
    },
    Case {
        feature: "if-absent",
        name: "a write where nothing may be is refused",
        needs: |c| !c.write_with_if_not_exists,
        is_refusal: true,
        run: |stage| Box::pin(absent_refused(stage)),
    },
    Case {
        feature: "if-match",
        name: "a write over a version succeeds on that version alone, and each write makes a new one",
        needs: |c| c.write_with_if_match,
        is_refusal: false,
        run: |stage| Box::pin(matching(stage)),
    },
    Case {
        feature: "if-match",
        name: "of many writers over one version, exactly one succeeds",
        needs: |c| c.write_with_if_match,
        is_refusal: false,
        run: |stage| Box::pin(one_over(stage)),
    },
    Case {
        feature: "if-match",
        name: "a write over a version is refused",
        needs: |c| !c.write_with_if_match,
        is_refusal: true,
        run: |stage| Box::pin(matching_refused(stage)),
    },
];

const MIB: usize = 1 << 20;

async fn absent(stage: &Stage) -> Verdict {
    for (path, length) in [("small", 10), ("large", 3 * MIB)] {
        let content = bytes(1, length);
        let write = |content| stage.operator.write_with(path, content).chunk(MIB).if_not_exists(true);
        write(content.clone()).await?;
        refused("the second", write(bytes(2, length)).await, ErrorKind::ConditionNotMatch)?;
        stage.holds(path, &content).await?;
        stage.operator.delete(path).await?;
        write(content).await?;
    }
    Ok(())
}

async fn first(stage: &Stage) -> Verdict {
    for length in [100, MIB + MIB / 2] {
        let path = format!("claim-{length}");
        let mut attempts = Vec::new();
        for number in 0..stage.options.tasks {
            let (operator, path) = (stage.operator.clone(), path.clone());
            attempts.push(tokio::spawn(async move {
                let content = bytes(number.into(), length);
                let written =
                    operator.write_with(&path, content.clone()).chunk(MIB).if_not_exists(true).await;
                (written, content)
            }));
        }
        let mut winners = Vec::new();
        for attempt in attempts {
            match attempt.await? {
                (Ok(_), content) => winners.push(content),
                (lost, _) => refused("a later one", lost, ErrorKind::ConditionNotMatch)?,
            }
        }
        ensure!(winners.len() == 1, "{} writers were first", winners.len());
        for content in winners {
            stage.holds(&path, &content).await?;
        }
    }
    Ok(())
}

async fn absent_refused(stage: &Stage) -> Verdict {
    let write = stage.operator.write_with("a", "x").if_not_exists(true).await;
    refused("if-absent", write, ErrorKind::Unsupported)?;
    stage.missing("a").await
}

async fn matching(stage: &Stage) -> Verdict {
    let mut etags: Vec<String> = Vec::new();
    for length in [10, 10, 2 * MIB, 10] {
        // An entity tag may be one of the content alone, so that no two writes here have the same.
        let content = bytes(2 * etags.len() as u64, length);
        let write = stage.operator.write_with("a", content.clone()).chunk(MIB);
        match etags.last() {
            None => write.await?,
            Some(etag) => write.if_match(etag).await?,
        };
        stage.holds("a", &content).await?;
        let etag = stage.operator.stat("a").await?.etag().map(str::to_owned);
        ensure!(etag.is_some(), "a store with if-match gives no entity tag");
        let etag = etag.unwrap_or_default();
        ensure!(!etags.contains(&etag), "two writes, one entity tag: {etag}");
        for stale in &etags {
            let write = stage.operator.write_with("a", "stale").if_match(stale).await;
            refused("a write over an old version", write, ErrorKind::ConditionNotMatch)?;
        }
        stage.holds("a", &content).await?;
        etags.push(etag);
    }
    let etag = etags.last().cloned().unwrap_or_default();
    let write = stage.operator.write_with("never there", "x").if_match(&etag).await;
    refused("a write over nothing", write, ErrorKind::ConditionNotMatch)?;
    stage.missing("never there").await
}

async fn one_over(stage: &Stage) -> Verdict {
    // Not what one of the writers writes: the entity tag may be one of the content alone.
    stage.operator.write("a", "first").await?;
    let etag = stage.operator.stat("a").await?.etag().unwrap_or_default().to_owned();
    let mut attempts = Vec::new();
    for number in 0..stage.options.tasks {
        let (operator, etag) = (stage.operator.clone(), etag.clone());
        attempts.push(tokio::spawn(async move {
            operator.write_with("a", number.to_string()).if_match(&etag).await.map(|_| number)
        }));
    }
    let mut winners = Vec::new();
    for attempt in attempts {
        match attempt.await? {
            Ok(number) => winners.push(number),
            lost => refused("a later one", lost, ErrorKind::ConditionNotMatch)?,
        }
    }
    ensure!(winners.len() == 1, "{} writers replaced one version", winners.len());
    let expected = winners.first().map(u32::to_string).unwrap_or_default();
    stage.holds("a", expected.as_bytes()).await
}

async fn matching_refused(stage: &Stage) -> Verdict {
    let write = stage.operator.write_with("a", "x").if_match("etag").await;
    refused("if-match", write, ErrorKind::Unsupported)?;
    stage.missing("a").await
}
