//! What goes with a blob.

use opendal::ErrorKind;

use super::case::{Case, Stage, Verdict, ensure, refused};

pub(super) const CASES: &[Case] = &[
    Case {
        feature: "content-type",
        name: "a content type stays with its blob, and goes with an overwrite without one",
        needs: |c| c.write_with_content_type,
        is_refusal: false,
        run: |stage| Box::pin(content_type(stage)),
    },
    Case {
        feature: "content-type",
        name: "a content type is refused",
        needs: |c| !c.write_with_content_type,
        is_refusal: true,
        run: |stage| Box::pin(content_type_refused(stage)),
    },
    Case {
        feature: "user-metadata",
        name: "user metadata stays with its blob, and goes with an overwrite without it",
        needs: |c| c.write_with_user_metadata,
        is_refusal: false,
        run: |stage| Box::pin(user(stage)),
    },
    Case {
        feature: "user-metadata",
        name: "user metadata is refused",
        needs: |c| !c.write_with_user_metadata,
        is_refusal: true,
        run: |stage| Box::pin(user_refused(stage)),
    },
];

const LENGTHS: [usize; 3] = [0, 10, (2 << 20) + 3];

async fn content_type(stage: &Stage) -> Verdict {
    for length in LENGTHS {
        let write = stage.operator.write_with("a", vec![1; length]).chunk(1 << 20);
        write.content_type("text/html; charset=utf-8").await?;
        let metadata = stage.operator.stat("a").await?;
        let kept = metadata.content_type();
        ensure!(kept == Some("text/html; charset=utf-8"), "{length} bytes: the content type is {kept:?}");
        if stage.operator.info().capability().copy {
            stage.operator.copy("a", "b").await?;
            let copy = stage.operator.stat("b").await?;
            ensure!(copy.content_type() == kept, "the copy's content type is {:?}", copy.content_type());
        }
    }
    stage.operator.write("a", "plain").await?;
    let metadata = stage.operator.stat("a").await?;
    ensure!(metadata.content_type().is_none(), "an old content type stayed: {:?}", metadata.content_type());
    Ok(())
}

async fn content_type_refused(stage: &Stage) -> Verdict {
    let write = stage.operator.write_with("a", "x").content_type("text/html").await;
    refused("content type", write, ErrorKind::Unsupported)?;
    stage.missing("a").await
}

async fn user(stage: &Stage) -> Verdict {
    let pairs = [("source", "http://example.org/ä?b"), ("empty", ""), ("lines", "a\nb")];
    let owned = || pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    for length in LENGTHS {
        let write = stage.operator.write_with("a", vec![1; length]).chunk(1 << 20);
        write.user_metadata(owned()).await?;
        let metadata = stage.operator.stat("a").await?;
        let kept = metadata.user_metadata();
        for (name, value) in pairs {
            let kept = kept.and_then(|kept| kept.get(name));
            ensure!(kept == Some(value), "{length} bytes: {name} is {kept:?}, and was {value:?}");
        }
        ensure!(
            kept.is_some_and(|kept| kept.len() == pairs.len()),
            "{length} bytes: more names than were written"
        );
    }
    stage.operator.write("a", "plain").await?;
    let metadata = stage.operator.stat("a").await?;
    ensure!(metadata.user_metadata().is_none_or(|kept| kept.is_empty()), "old user metadata stayed");
    Ok(())
}

async fn user_refused(stage: &Stage) -> Verdict {
    let pairs = [("source".to_owned(), "x".to_owned())];
    let write = stage.operator.write_with("a", "x").user_metadata(pairs).await;
    refused("user metadata", write, ErrorKind::Unsupported)?;
    stage.missing("a").await
}
