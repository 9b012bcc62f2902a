use std::collections::VecDeque;

use opendal::{
    MetadataBuilder, Result,
    raw::oio::{self, List as _},
};

use super::{Traits, list::MergedLister};

const TRAITS: Traits = Traits {
    default_content_type: None,
    key_bytes_max: 1_024,
    user_metadata_bytes_max: 2_048,
    parts_max: 10_000,
};

/// Pages as a service sends them: folders, then blobs.
struct Pages(VecDeque<&'static str>);

impl oio::List for Pages {
    async fn next(&mut self) -> Result<Option<oio::Entry>> {
        Ok(self.0.pop_front().map(|path| {
            let builder = if path.ends_with('/') { MetadataBuilder::dir() } else { MetadataBuilder::file(1) };
            oio::Entry::new(path, builder.build())
        }))
    }
}

async fn merged(pages: &[&[&'static str]]) -> Vec<String> {
    let sent = pages.iter().flat_map(|page| page.iter().copied()).collect();
    let mut lister = MergedLister::new(Box::new(Pages(sent)), TRAITS);
    let mut paths = Vec::new();
    while let Some(entry) = lister.next().await.unwrap() {
        paths.push(entry.path().to_owned());
    }
    paths
}

#[tokio::test]
async fn folders_and_blobs_of_a_page_are_merged_and_pages_stay_apart() {
    for pages in [
        &[&["b/", "d/", "a", "c", "e"][..]][..],
        &[&["b/", "a"], &["d/", "c", "e"]],
        &[&["b/"], &["d/"], &["e"]],
        &[&["a", "b"], &["c/", "d/"], &["e"]],
        &[&["a"], &["b"], &["d/", "c"]],
        &[&["c/", "a", "b"], &["d"], &["f/", "e"], &["g/"], &[]],
        &[],
    ] {
        let mut expected: Vec<String> = pages.concat().into_iter().map(str::to_owned).collect();
        expected.sort();
        assert_eq!(merged(pages).await, expected, "{pages:?}");
    }
}
