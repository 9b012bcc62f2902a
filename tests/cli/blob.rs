//! `larder blob` over a folder.

use serde_json::Value;

use crate::command::Larder;

fn larder() -> Larder {
    Larder::with_config("storage: { backend: file, file: { path: ./data/ } }")
}

#[test]
fn a_blob_goes_in_and_out_as_it_is() {
    let larder = larder();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    larder.write("in", &bytes);
    larder.done(&["blob", "put", "in", "a/b.bin"]);
    assert_eq!(larder.run(&["blob", "get", "a/b.bin"]).out, bytes);
    larder.done(&["blob", "get", "a/b.bin", "out"]);
    assert_eq!(larder.read("out"), bytes);
    assert_eq!(larder.run_with(&["blob", "put", "-", "c"], &bytes).code, 0);
    larder.done(&["blob", "cp", "c", "d"]);
    assert_eq!(larder.run(&["blob", "get", "d", "-"]).out, bytes);
}

#[test]
fn blobs_are_listed_described_and_removed() {
    let larder = larder();
    larder.write("in", "12345");
    for path in ["a", "b/c", "b/d"] {
        larder.done(&["blob", "put", "in", path]);
    }
    let mut lines: Vec<String> = larder.done(&["blob", "ls"]).lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["a", "b/"]);
    let mut lines: Vec<String> = larder.done(&["blob", "ls", "-r"]).lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["a", "b/c", "b/d"]);
    assert!(larder.done(&["blob", "stat", "b/c"]).contains("5 bytes"));
    let stat: Value = serde_json::from_str(&larder.done(&["blob", "stat", "--json", "b/c"])).unwrap();
    assert_eq!(stat["size_bytes"], 5);
    larder.done(&["blob", "rm", "b/c", "no-such"]);
    larder.refused(&["blob", "stat", "b/c"], 1, &["not found"]);
    larder.refused(&["blob", "get", "b/c"], 1, &["not found"]);
    larder.refused(&["blob", "cp", "b/c", "x"], 1, &["not found"]);
}

#[test]
fn a_condition_holds_or_conflicts() {
    let larder = larder();
    larder.write("in", "1");
    larder.done(&["blob", "put", "--if-absent", "in", "a"]);
    larder.refused(&["blob", "put", "--if-absent", "in", "a"], 5, &["conflict"]);
}

#[test]
fn what_is_missing_on_this_side_is_named() {
    let larder = larder();
    larder.refused(&["blob", "put", "no-such-file", "a"], 12, &["no-such-file"]);
    larder.write("in", "1");
    larder.done(&["blob", "put", "in", "a"]);
    larder.refused(&["blob", "get", "a", "no-such-folder/out"], 12, &["no-such-folder/out"]);
    assert!(larder.done(&["blob", "ls"]).contains('a'));
}

#[test]
fn a_path_that_leaves_the_store_is_refused() {
    let larder = larder();
    larder.write("in", "1");
    larder.write("secret", "1");
    for path in ["../secret", "a/../../secret", "/etc/passwd", "a//b", "./a", ""] {
        for arguments in [
            &["blob", "get", path][..],
            &["blob", "put", "in", path],
            &["blob", "stat", path],
            &["blob", "rm", path],
            &["blob", "cp", path, "x"],
        ] {
            larder.refused(arguments, 3, &["invalid"]);
        }
    }
    assert_eq!(larder.read("secret"), b"1");
}
