//! On real files, natively; the conformance suite runs the component itself.

use std::path::PathBuf;

use larder_sdk::blob::{BlobBackend, Condition, Features, PutOptions};
use larder_sdk::{Error, Settings};

use crate::{BlobFolder, PART_BYTES};

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("blob-folder-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn open(&self, more: &[(&str, &str)]) -> BlobFolder {
        let mut settings = vec![("folder".to_owned(), self.0.to_str().unwrap().to_owned())];
        settings.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        BlobFolder::configure(Settings::new(settings)).unwrap()
    }

    fn unfinished(&self) -> usize {
        std::fs::read_dir(self.0.join("unfinished")).unwrap().count()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn options(condition: Option<Condition>) -> PutOptions {
    PutOptions { content_type: Some("text/plain".into()), user: vec![("a".into(), "1".into())], condition }
}

#[test]
fn parts_in_any_order_from_any_instance_make_the_blob() {
    let scratch = Scratch::new("parts");
    let part = PART_BYTES as usize;
    let content: Vec<u8> = (0..2 * part + 5).map(|at| (at % 251) as u8).collect();
    let upload = scratch.open(&[]).begin("big", options(None)).unwrap();
    let mut answers = vec![String::new(); 3];
    for number in [2, 0, 1, 2] {
        let end = content.len().min((number + 1) * part);
        let bytes = content[number * part..end].to_vec();
        answers[number] = scratch.open(&[]).part(&upload, number as u32, bytes).unwrap();
    }
    let mut last = scratch.open(&[]);
    assert_eq!(last.stat("big").unwrap(), None);
    assert_eq!(last.list("", None, 10).unwrap().entries, []);
    let metadata = last.finish(&upload, answers.clone()).unwrap();
    assert_eq!(metadata.size, content.len() as u64);
    assert_eq!(last.stat("big").unwrap(), Some(metadata));
    let read = last.read("big", part as u64 - 3, 10).unwrap().unwrap();
    assert_eq!(read, content[part - 3..part + 7]);
    assert!(matches!(last.finish(&upload, answers), Err(Error::Invalid(_))));
    assert_eq!(scratch.unfinished(), 0);
}

#[test]
fn a_part_that_is_missing_short_or_misplaced_is_noticed() {
    let scratch = Scratch::new("wrong");
    let mut blobs = scratch.open(&[]);
    let upload = blobs.begin("big", options(None)).unwrap();
    let full = blobs.part(&upload, 0, vec![1; PART_BYTES as usize]).unwrap();
    let short = blobs.part(&upload, 1, vec![2; 3]).unwrap();
    assert!(blobs.part(&upload, 2, vec![0; PART_BYTES as usize + 1]).is_err());
    for parts in [
        vec![short.clone(), full.clone()],
        vec![full.clone(), short.clone(), "2:5".into()],
        vec!["0:5".into(), short.clone()],
        vec!["nonsense".into()],
    ] {
        assert!(matches!(blobs.finish(&upload, parts.clone()), Err(Error::Invalid(_))), "{parts:?}");
    }
    assert_eq!(blobs.finish(&upload, vec![full, short]).unwrap().size, u64::from(PART_BYTES) + 3);
}

#[test]
fn conditions_hold_and_leave_nothing_behind() {
    let scratch = Scratch::new("conditions");
    let mut blobs = scratch.open(&[]);
    let first = blobs.put("a", b"1".to_vec(), options(Some(Condition::Absent))).unwrap();
    let again = blobs.put("a", b"2".to_vec(), options(Some(Condition::Absent)));
    assert_eq!(again, Err(Error::Conflict("a".into())));
    let etag = first.etag.unwrap();
    blobs.put("a", b"3".to_vec(), options(Some(Condition::Etag(etag.clone())))).unwrap();
    let stale = blobs.put("a", b"4".to_vec(), options(Some(Condition::Etag(etag.clone()))));
    assert_eq!(stale, Err(Error::Conflict("a".into())));
    let gone = blobs.put("b", b"4".to_vec(), options(Some(Condition::Etag(etag))));
    assert_eq!(gone, Err(Error::Conflict("b".into())));
    assert_eq!(blobs.read("a", 0, 9).unwrap().unwrap(), b"3");
    assert_eq!(scratch.unfinished(), 0);
}

#[test]
fn a_shared_folder_says_that_it_cannot_compare() {
    let scratch = Scratch::new("shared");
    let mut blobs = scratch.open(&[("shared", "true")]);
    assert!(!blobs.describe().features.contains(Features::IF_MATCH));
    let refused = blobs.put("a", vec![], options(Some(Condition::Etag("x".into()))));
    assert!(matches!(refused, Err(Error::Unsupported(_))));
}

#[test]
fn pages_go_on_where_the_last_one_ended() {
    let scratch = Scratch::new("pages");
    let mut blobs = scratch.open(&[]);
    let paths = ["a", "a!", "a/b", "a/b/c", "a0", "b", "c/d/e", "ü/日"];
    for path in paths {
        blobs.put(path, vec![7], options(None)).unwrap();
    }
    for limit in 1..=9 {
        for prefix in ["", "a", "a/", "a/b", "c/d/", "x"] {
            let mut listed = Vec::new();
            let mut cursor = None;
            loop {
                let page = blobs.list(prefix, cursor.as_deref(), limit).unwrap();
                assert!(page.entries.len() <= limit as usize);
                listed.extend(page.entries.into_iter().map(|entry| entry.path));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            let wanted: Vec<_> = paths.iter().filter(|path| path.starts_with(prefix)).collect();
            assert_eq!(listed.iter().collect::<Vec<_>>(), wanted, "{prefix:?} by {limit}");
        }
    }
}

#[test]
fn copies_are_whole_and_deletes_take_empty_folders_along() {
    let scratch = Scratch::new("copies");
    let mut blobs = scratch.open(&[]);
    let written = blobs.put("x/y/z", vec![9; 1000], options(None)).unwrap();
    blobs.copy("x/y/z", "copy").unwrap();
    let copy = blobs.stat("copy").unwrap().unwrap();
    assert_eq!((copy.size, &copy.user, &copy.content_type), (1000, &written.user, &written.content_type));
    assert_ne!(copy.etag, written.etag);
    assert!(matches!(blobs.copy("nothing", "copy"), Err(Error::Invalid(_))));
    blobs.delete("x/y/z").unwrap();
    blobs.delete("x/y/z").unwrap();
    assert!(!scratch.0.join("blobs/x.d").exists());
    assert_eq!(blobs.read("x/y/z", 0, 1).unwrap(), None);
}

#[test]
fn damage_is_told_and_not_returned_as_good() {
    let scratch = Scratch::new("damage");
    let mut blobs = scratch.open(&[]);
    blobs.put("a", b"content".to_vec(), options(None)).unwrap();
    let file = scratch.0.join("blobs/a.b");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[30] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert!(matches!(blobs.stat("a"), Err(Error::Corrupt(_))));
    assert!(matches!(blobs.read("a", 0, 1), Err(Error::Corrupt(_))));
}

#[test]
fn what_is_left_behind_goes_when_it_is_old_enough() {
    let scratch = Scratch::new("left");
    let mut blobs = scratch.open(&[]);
    let upload = blobs.begin("a", options(None)).unwrap();
    scratch.open(&[]);
    assert_eq!(scratch.unfinished(), 1, "another instance may go on with it");
    let file =
        std::fs::File::options().write(true).open(scratch.0.join("unfinished").join(&upload[..32])).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    scratch.open(&[]);
    assert_eq!(scratch.unfinished(), 0);
    blobs.abort(&upload).unwrap();
    assert!(blobs.part(&upload, 0, vec![1]).is_err());
}
