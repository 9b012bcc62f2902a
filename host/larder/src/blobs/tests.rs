use futures::TryStreamExt;
use larder_backends::object;

use super::*;

async fn bytes(reader: BlobReader) -> Vec<u8> {
    reader
        .try_fold(Vec::new(), |mut all, piece| async move {
            all.extend(piece);
            Ok(all)
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn ranges_end_where_the_blob_does() {
    let folder = tempfile::tempdir().unwrap();
    for blobs in [Blobs::new(object::memory()), Blobs::new(object::fs(folder.path()).unwrap())] {
        blobs.put("a", "0123456789").await.unwrap();
        let cases: [(Range, &str); 8] = [
            ((..).into(), "0123456789"),
            ((3..).into(), "3456789"),
            ((3..5).into(), "34"),
            ((..=1).into(), "01"),
            ((8..100).into(), "89"),
            ((10..20).into(), ""),
            ((50..60).into(), ""),
            ((u64::MAX..).into(), ""),
        ];
        for (range, wanted) in cases {
            let reader = blobs.read("a", range).await.unwrap().unwrap();
            assert_eq!(bytes(reader).await, wanted.as_bytes(), "{blobs} {range:?}");
        }
        assert!(blobs.read("b", ..).await.unwrap().is_none());
        assert!(blobs.read("b", 1..2).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn what_the_store_cannot_keep_is_refused_and_never_dropped() {
    let blobs = Blobs::new(object::memory());
    for options in [WriteOptions::new().user("a", "1"), WriteOptions::new().if_match("x")] {
        let refused = blobs.put_with("a", "x", options).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
    }
    assert_eq!(blobs.copy("a", "b").await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(!blobs.exists("a").await.unwrap());
}

#[tokio::test]
async fn a_bad_path_is_invalid_everywhere() {
    let blobs = Blobs::new(object::memory());
    for path in ["", "/a", "a/../b", "a/", " a"] {
        let kinds = [
            blobs.get(path).await.map(drop).unwrap_err().kind(),
            blobs.read(path, ..).await.map(drop).unwrap_err().kind(),
            blobs.stat(path).await.map(drop).unwrap_err().kind(),
            blobs.put(path, "x").await.map(drop).unwrap_err().kind(),
            blobs.delete(path).await.unwrap_err().kind(),
            blobs.delete_many(&["a", path]).await.unwrap_err().kind(),
            blobs.copy(path, "x").await.unwrap_err().kind(),
            blobs.copy("x", path).await.unwrap_err().kind(),
        ];
        assert_eq!(kinds, [ErrorKind::Invalid; 8], "{path:?}");
    }
}

#[tokio::test]
async fn a_dropped_writer_leaves_nothing_and_a_lost_race_is_a_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::new(object::fs(folder.path()).unwrap());
    let options = || WriteOptions::new().if_absent().part_bytes(5_000);
    let mut dropped = blobs.writer("a", options()).await.unwrap();
    dropped.write(vec![1; 100_000]).await.unwrap();
    drop(dropped);
    let mut loser = blobs.writer("a", options()).await.unwrap();
    loser.write(vec![2; 100_000]).await.unwrap();
    let metadata = blobs.put_with("a", vec![3; 100_000], options().content_type("x/y")).await.unwrap();
    assert_eq!((metadata.size_bytes, metadata.content_type.as_deref()), (100_000, Some("x/y")));
    let lost = loser.finish().await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Conflict);
    assert!(!lost.is_effect_unknown());
    assert_eq!(blobs.get("a").await.unwrap().unwrap(), vec![3; 100_000]);
}

#[tokio::test]
async fn listings_stay_below_the_prefix() {
    let folder = tempfile::tempdir().unwrap();
    for blobs in [Blobs::new(object::memory()), Blobs::new(object::fs(folder.path()).unwrap())] {
        for path in ["a/b/c", "a/b d", "a/x", "ab", "b"] {
            blobs.put(path, "x").await.unwrap();
        }
        for (prefix, depth, wanted) in [
            ("", Depth::All, vec!["a/b d", "a/b/c", "a/x", "ab", "b"]),
            ("", Depth::Folder, vec!["a/", "ab", "b"]),
            ("a", Depth::Folder, vec!["a/", "ab"]),
            ("a/b ", Depth::All, vec!["a/b d"]),
            ("a/b", Depth::Folder, vec!["a/b d", "a/b/"]),
            ("a/", Depth::All, vec!["a/b d", "a/b/c", "a/x"]),
            ("none", Depth::All, vec![]),
        ] {
            let listed: Vec<Listed> = blobs.list(prefix, depth).await.unwrap().try_collect().await.unwrap();
            let paths: Vec<_> = listed.iter().map(|listed| listed.path.as_str()).collect();
            assert_eq!(paths, wanted, "{blobs} {prefix:?}");
            assert!(listed.iter().all(|l| l.metadata.as_ref().is_none_or(|m| m.size_bytes == 1)));
        }
        blobs.delete_many(&["a/b/c", "ab", "none"]).await.unwrap();
        assert!(!blobs.exists("ab").await.unwrap());
    }
}
