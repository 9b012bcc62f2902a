use super::*;

fn scratch(name: &str) -> (std::path::PathBuf, Folder) {
    let path = std::env::temp_dir().join(format!("larder-sdk-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    let folder = Folder::open(path.to_str().unwrap()).unwrap();
    (path, folder)
}

#[test]
fn files_are_made_replaced_renamed_and_removed() {
    let (path, folder) = scratch("files");
    folder.create_folder("a").unwrap();
    folder.replace("a/x", b"one").unwrap();
    folder.replace("a/x", b"two").unwrap();
    assert_eq!(folder.read("a/x").unwrap(), b"two");
    folder.rename("a/x", "a/y").unwrap();
    assert_eq!(folder.entries("a").unwrap(), [("y".to_owned(), Kind::File)]);
    assert_eq!(folder.metadata("a/y").unwrap().size, 3);
    assert_eq!(folder.file("a/y", Access::CreateNew).unwrap_err().kind, FileErrorKind::Exists);
    folder.link("a/y", "a/z").unwrap();
    assert_eq!(folder.link("a/y", "a/z").unwrap_err().kind, FileErrorKind::Exists);
    assert_eq!(folder.remove_folder("a").unwrap_err().kind, FileErrorKind::NotEmpty);
    folder.remove("a/y").unwrap();
    folder.remove("a/z").unwrap();
    folder.remove_folder("a").unwrap();
    assert_eq!(folder.remove("a/y").unwrap_err().kind, FileErrorKind::Missing);
    std::fs::remove_dir_all(path).unwrap();
}

#[test]
fn reads_end_where_the_file_ends() {
    let (path, folder) = scratch("reads");
    let file = folder.file("f", Access::Create).unwrap();
    file.write_at(2, b"abc").unwrap();
    assert_eq!(file.size().unwrap(), 5);
    assert_eq!(file.read_at(0, 100).unwrap(), b"\0\0abc");
    assert_eq!(file.read_at(5, 1).unwrap(), b"");
    file.set_size(3).unwrap();
    assert_eq!(file.read_at(2, 1).unwrap(), b"a");
    std::fs::remove_dir_all(path).unwrap();
}
