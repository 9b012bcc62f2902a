//! Files that were cut, changed, lost or written by a later build.

use super::*;
use crate::log::segment::Segment;

/// A log in one segment, and its contents after each commit, with the size of the file.
fn history() -> (FaultyDisk, Vec<(usize, Model)>) {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, ONE_SEGMENT).unwrap();
    let name = Segment::name_of(1);
    let mut states = vec![(disk.bytes(&name).len(), Model::new())];
    let large = [b'x'; 700];
    let commits = [
        vec![put("a", b"1"), put("b", &large)],
        vec![delete("a"), add("n", 3)],
        vec![put("b", b"short"), put("c", b"")],
        vec![add("n", 1)],
    ];
    for commit in commits {
        log.commit(&[], commit, 0).unwrap();
        states.push((disk.bytes(&name).len(), contents(&mut log, 0).unwrap()));
    }
    (disk, states)
}

#[test]
fn a_file_cut_at_any_byte_opens_with_the_commits_that_are_whole() {
    let (disk, states) = history();
    let name = Segment::name_of(1);
    let whole = disk.bytes(&name);
    let header = states[0].0;
    for cut in header..=whole.len() {
        let disk = disk.copy();
        disk.set_bytes(&name, whole[..cut].to_vec());
        let mut log = open(&disk, ONE_SEGMENT).unwrap();
        let expected = states.iter().rev().find(|(size, _)| *size <= cut).map(|(_, model)| model);
        assert_eq!(contents(&mut log, 0).ok().as_ref(), expected, "cut at {cut}");
        log.commit(&[], vec![put("after", b"1")], 0).unwrap();
        assert!(contents(&mut open(&disk, ONE_SEGMENT).unwrap(), 0).unwrap().contains_key("after"));
    }
    for cut in 0..header {
        disk.set_bytes(&name, whole[..cut].to_vec());
        assert!(matches!(open(&disk, ONE_SEGMENT), Err(Error::Corrupt(_))), "header cut at {cut}");
    }
}

#[test]
fn a_changed_byte_is_never_read_as_good() {
    let (disk, states) = history();
    let name = Segment::name_of(1);
    let whole = disk.bytes(&name);
    let (last_record, before_last) = &states[states.len() - 2];
    for at in 0..whole.len() {
        for bit in [1_u8, 0x80] {
            let disk = disk.copy();
            let mut bytes = whole.clone();
            bytes[at] ^= bit;
            disk.set_bytes(&name, bytes.clone());
            match open(&disk, ONE_SEGMENT) {
                Err(Error::Corrupt(_) | Error::Unsupported(_)) => {
                    assert!(at < *last_record, "byte {at}");
                    assert_eq!(disk.bytes(&name), bytes, "the bytes are kept");
                }
                Err(other) => panic!("byte {at}: {other}"),
                // The last record can't be told from one that was being written.
                Ok(mut log) => {
                    assert!(at >= *last_record, "byte {at}");
                    assert_eq!(contents(&mut log, 0).as_ref(), Ok(before_last), "byte {at}");
                    assert!(bytes.ends_with(&disk.bytes("torn-end.bin")), "what was cut is kept");
                }
            }
        }
    }
}

#[test]
fn damage_in_a_segment_that_is_not_the_last_is_refused() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, OPTIONS).unwrap();
    for key in ["a", "b", "c", "d"] {
        log.commit(&[], vec![put(key, &[1; 200])], 0).unwrap();
    }
    let name = Segment::name_of(2);
    let whole = disk.bytes(&name);
    for bytes in [whole[..whole.len() - 1].to_vec(), whole[..60].to_vec(), Vec::new()] {
        disk.set_bytes(&name, bytes);
        assert!(matches!(open(&disk, OPTIONS), Err(Error::Corrupt(text)) if text.contains(&name)));
    }
}

#[test]
fn a_segment_that_is_missing_or_under_another_name_is_refused() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, OPTIONS).unwrap();
    for key in ["a", "b", "c", "d"] {
        log.commit(&[], vec![put(key, &[1; 200])], 0).unwrap();
    }
    let mut missing = disk.copy();
    missing.remove(&Segment::name_of(2)).unwrap();
    assert!(matches!(open(&missing, OPTIONS), Err(Error::Corrupt(_))));
    let mut exchanged = disk.copy();
    exchanged.rename(&Segment::name_of(3), &Segment::name_of(2)).unwrap();
    assert!(matches!(open(&exchanged, OPTIONS), Err(Error::Corrupt(_))));
}

#[test]
fn a_later_format_is_named_and_left_alone() {
    let (disk, _) = history();
    let name = Segment::name_of(1);
    let mut bytes = disk.bytes(&name);
    bytes[8] = 9;
    disk.set_bytes(&name, bytes.clone());
    assert!(matches!(open(&disk, ONE_SEGMENT), Err(Error::Unsupported(text)) if text.contains("format 9")));
    assert_eq!(disk.bytes(&name), bytes);
}

#[test]
fn a_record_stored_as_a_value_is_not_taken_for_one() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, ONE_SEGMENT).unwrap();
    log.commit(&[], vec![put("a", b"1")], 0).unwrap();
    let name = Segment::name_of(1);
    let record = disk.bytes(&name)[crate::log::segment::HEADER_BYTES..].to_vec();
    log.commit(&[], vec![put("b", &record)], 0).unwrap();
    let bytes = disk.bytes(&name);
    // The last record is torn at its beginning, and holds what looks like a whole one.
    let mut torn = bytes.clone();
    let at = bytes.len() - record.len() - 5;
    torn[at] ^= 1;
    disk.set_bytes(&name, torn);
    let mut log = open(&disk, ONE_SEGMENT).unwrap();
    assert_eq!(contents(&mut log, 0).unwrap().keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn a_value_that_rots_is_corrupt_alone_and_no_file_goes_any_more() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, OPTIONS).unwrap();
    log.commit(&[], vec![put("rots", &[1; 600])], 0).unwrap();
    log.commit(&[], vec![put("stays", &[2; 600])], 0).unwrap();
    let name = Segment::name_of(1);
    let mut bytes = disk.bytes(&name);
    let end = bytes.len();
    bytes[end - 1] ^= 1;
    disk.set_bytes(&name, bytes.clone());
    assert!(matches!(log.get("rots", 0), Err(Error::Corrupt(text)) if text.contains("`rots`")));
    assert_eq!(log.get("stays", 0).unwrap().unwrap().value, [2; 600]);
    for round in 0..100_u32 {
        log.commit(&[], vec![put("hot", &round.to_le_bytes())], 0).unwrap();
    }
    assert_eq!(disk.bytes(&name), bytes, "the cleaner keeps what it can't read");
    log.commit(&[], vec![put("rots", b"again")], 0).unwrap();
    assert_eq!(log.get("rots", 0).unwrap().unwrap().value, b"again");
}
