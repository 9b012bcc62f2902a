//! Reads through a component that does nothing but pass them on, on files that were opened under the rules of a grant.

use std::path::Path;

use wasmtime::{
    Store,
    component::{Component, TypedFunc},
};
use wasmtime_wasi::{
    filesystem::WasiFilesystemView as _,
    p2::bindings::filesystem::{
        preopens,
        types::{DescriptorFlags, HostDescriptor as _, OpenFlags, PathFlags},
    },
};

use super::*;
use crate::{
    engine::{Engine, LinkerKind},
    options::{Access, EngineOptions, PluginOptions},
    prepared::Style,
    state::store,
};

type Read = TypedFunc<(Resource<Descriptor>, u64, u64), (Plain,)>;

/// A component with one function, `read`, that calls `descriptor.read` and hands its answer on. Its memory has 4 MiB and does not
/// grow; what does not fit any more is promised all the same.
const PASS: &str = r#"
(component
  (import "wasi:filesystem/types@0.2.12" (instance $types
    (export "descriptor" (type $descriptor (sub resource)))
    (type $code (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist"
      "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io" "is-directory" "loop"
      "too-many-links" "message-size" "name-too-long" "no-device" "no-entry" "no-lock" "insufficient-memory"
      "insufficient-space" "not-directory" "not-empty" "not-recoverable" "unsupported" "no-tty" "no-such-device"
      "overflow" "not-permitted" "pipe" "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $error-code (eq $code)))
    (export "[method]descriptor.read" (func
      (param "self" (borrow $descriptor)) (param "length" u64) (param "offset" u64)
      (result (result (tuple (list u8) bool) (error $error-code)))))))
  (alias export $types "descriptor" (type $descriptor))
  (alias export $types "error-code" (type $error-code))
  (core module $memory
    (memory (export "memory") 64 64)
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
      (local $start i32)
      ;; What shrinks stays where it is.
      (if (local.get $old-size) (then (return (local.get $old))))
      (local.set $start (global.get $top))
      (global.set $top (i32.add (global.get $top) (local.get $size)))
      (local.get $start)))
  (core instance $memory (instantiate $memory))
  (core func $read (canon lower (func $types "[method]descriptor.read")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $drop (canon resource.drop $descriptor))
  (core module $main
    (import "host" "read" (func $read (param i32 i64 i64 i32)))
    (import "host" "drop" (func $drop (param i32)))
    (func (export "read") (param $descriptor i32) (param $length i64) (param $offset i64) (result i32)
      (call $read (local.get $descriptor) (local.get $length) (local.get $offset) (i32.const 16))
      (call $drop (local.get $descriptor))
      (i32.const 16)))
  (core instance $main (instantiate $main
    (with "host" (instance (export "read" (func $read)) (export "drop" (func $drop))))))
  (func (export "read")
    (param "descriptor" (borrow $descriptor)) (param "length" u64) (param "offset" u64)
    (result (result (tuple (list u8) bool) (error $error-code)))
    (canon lift (core func $main "read") (memory (core memory $memory "memory")))))
"#;

/// An instance of the component over a granted folder.
struct Guest {
    store: Store<State>,
    read: Read,
    folder: Resource<Descriptor>,
    // Ticks while the store lives.
    _engine: Arc<Engine>,
}

impl Guest {
    async fn over(folder: &Path, access: Access) -> Self {
        Self::linked(folder, access, |_| Ok(())).await
    }

    /// With other functions linked than usual.
    async fn linked(
        folder: &Path,
        access: Access,
        link: impl FnOnce(&mut Linker<State>) -> Result<()>,
    ) -> Self {
        let engine = Engine::new(EngineOptions::default()).unwrap();
        let options = PluginOptions::new("pass").with_folder(folder, "/data", access);
        let mut store = store(&engine, &options, Style::Fiber).unwrap();
        store.set_epoch_deadline(u64::from(u32::MAX));
        let mut linker = engine.linker(LinkerKind::Fiber).clone();
        linker.allow_shadowing(true);
        link(&mut linker).unwrap();
        let component = Component::new(engine.wasmtime(), wat::parse_str(PASS).unwrap()).unwrap();
        let instance = linker.instantiate_async(&mut store, &component).await.unwrap();
        let read = instance.get_typed_func(&mut store, "read").unwrap();
        let mut granted = preopens::Host::get_directories(&mut store.data_mut().filesystem()).unwrap();
        let (folder, _) = granted.remove(0);
        Self { store, read, folder, _engine: engine }
    }

    async fn open(&mut self, path: &str, flags: DescriptorFlags) -> Result<Resource<Descriptor>, String> {
        let folder = Resource::new_own(self.folder.rep());
        let mut files = self.store.data_mut().filesystem();
        let follow = PathFlags::SYMLINK_FOLLOW;
        let opened = files.open_at(folder, follow, path.to_owned(), OpenFlags::empty(), flags).await;
        opened.map_err(|error| error.downcast().map_or_else(|e| e.to_string(), |code| format!("{code:?}")))
    }

    async fn read(&mut self, file: &Resource<Descriptor>, length: u64, offset: u64) -> Result<Plain> {
        let file = Resource::new_borrow(file.rep());
        Ok(self.read.call_async(&mut self.store, (file, length, offset)).await?.0)
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at % 251) as u8).collect()
}

/// Links wasmtime-wasi's own functions again.
fn as_upstream(linker: &mut Linker<State>) -> Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)
}

#[tokio::test]
async fn short_reads_answer_as_those_of_wasmtime_wasi() {
    let folder = folder();
    std::fs::write(folder.path().join("file"), content(1_000)).unwrap();
    std::fs::write(folder.path().join("empty"), []).unwrap();
    let mut ours = Guest::over(folder.path(), Access::Read).await;
    let mut theirs = Guest::linked(folder.path(), Access::Read, as_upstream).await;
    for name in ["file", "empty"] {
        let our_file = ours.open(name, DescriptorFlags::READ).await.unwrap();
        let their_file = theirs.open(name, DescriptorFlags::READ).await.unwrap();
        for length in [0, 1, 999, 1_000, 1_001, 65_536] {
            for offset in [0, 1, 999, 1_000, 1_001, 1 << 40] {
                let expected = theirs.read(&their_file, length, offset).await.unwrap();
                let found = ours.read(&our_file, length, offset).await.unwrap();
                assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{length} at {offset} of {name}");
            }
        }
    }
}

#[tokio::test]
async fn a_read_brings_as_much_as_was_asked_for_up_to_the_limit() {
    let folder = folder();
    let bytes = content(READ_BYTES_MAX + 5);
    std::fs::write(folder.path().join("file"), &bytes).unwrap();
    for (length, offset, expected) in [
        (300_000, 7, &bytes[7..300_007]),
        (READ_BYTES_MAX as u64, 0, &bytes[..READ_BYTES_MAX]),
        (READ_BYTES_MAX as u64 + 1, 3, &bytes[3..READ_BYTES_MAX + 3]),
        (u64::MAX, 0, &bytes[..READ_BYTES_MAX]),
        (u64::MAX, 10, &bytes[10..]),
        (u64::MAX, u64::MAX, &[]),
    ] {
        let mut guest = Guest::over(folder.path(), Access::Read).await;
        let file = guest.open("file", DescriptorFlags::READ).await.unwrap();
        let (found, is_end) = guest.read(&file, length, offset).await.unwrap().unwrap();
        assert!(found == expected, "{length} at {offset}");
        assert_eq!(is_end, expected.is_empty());
    }
}

#[tokio::test]
async fn an_open_file_is_read_whatever_becomes_of_its_name() {
    let folder = folder();
    let path = folder.path().join("file");
    std::fs::write(&path, "before").unwrap();
    let mut guest = Guest::over(folder.path(), Access::Read).await;
    let file = guest.open("file", DescriptorFlags::READ).await.unwrap();
    std::fs::rename(&path, folder.path().join("other")).unwrap();
    std::fs::write(&path, "another").unwrap();
    assert_eq!(guest.read(&file, 100, 0).await.unwrap().unwrap().0, b"before");
    std::fs::remove_file(folder.path().join("other")).unwrap();
    assert_eq!(guest.read(&file, 3, 3).await.unwrap().unwrap().0, b"ore");
}

#[tokio::test]
async fn a_folder_a_file_that_is_only_written_and_a_closed_one_are_not_read() {
    let folder = folder();
    std::fs::write(folder.path().join("file"), "content").unwrap();
    let mut guest = Guest::over(folder.path(), Access::ReadWrite).await;
    let itself = Resource::new_own(guest.folder.rep());
    assert!(matches!(guest.read(&itself, 1, 0).await, Ok(Err(ErrorCode::BadDescriptor))));
    let write_only = guest.open("file", DescriptorFlags::WRITE).await.unwrap();
    assert!(matches!(guest.read(&write_only, 1, 0).await, Ok(Err(ErrorCode::BadDescriptor))));
    let closed = guest.open("file", DescriptorFlags::READ).await.unwrap();
    guest.store.data_mut().filesystem().table.delete(Resource::<Descriptor>::new_own(closed.rep())).unwrap();
    assert!(guest.read(&closed, 1, 0).await.is_err(), "a handle of nothing is a trap");
}

#[tokio::test]
async fn what_a_grant_does_not_allow_is_not_opened_for_reading_either() {
    let (outside, folder) = (folder(), folder());
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    std::fs::write(folder.path().join("file"), "content").unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink("file", folder.path().join("inside")).unwrap();
    let mut guest = Guest::over(folder.path(), Access::Read).await;
    let up = format!("../{}/secret", outside.path().file_name().unwrap().to_str().unwrap());
    let absolute = outside.path().join("secret");
    for path in ["link", &up, absolute.to_str().unwrap(), "inside/../../secret"] {
        assert!(guest.open(path, DescriptorFlags::READ).await.is_err(), "{path} was opened");
    }
    assert!(guest.open("file", DescriptorFlags::WRITE).await.is_err(), "the grant is for reading");
    let inside = guest.open("inside", DescriptorFlags::READ).await.unwrap();
    assert_eq!(guest.read(&inside, 100, 0).await.unwrap().unwrap().0, b"content");
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_read_gives_what_is_left() {
    let folder = folder();
    std::fs::write(folder.path().join("file"), "content").unwrap();
    for (offset, expected) in [(0, &b"content"[..]), (4, b"ent"), (7, b"")] {
        let path = folder.path().join("file");
        let mut guest = Guest::linked(folder.path(), Access::Read, move |linker| {
            let promised = move |_: StoreContextMut<'_, State>,
                                 (_, _, _): (Resource<Descriptor>, u64, u64)| {
                let file = Arc::new(File::open(&path)?);
                Ok((Answer::FromFile { file, offset, length: 100_000 },))
            };
            linker.instance(INTERFACE)?.func_wrap("[method]descriptor.read", promised)
        })
        .await;
        let file = guest.open("file", DescriptorFlags::READ).await.unwrap();
        assert_eq!(guest.read(&file, 1, 0).await.unwrap().unwrap(), (expected.to_vec(), expected.is_empty()));
    }
}

#[tokio::test]
async fn a_guest_that_gives_memory_it_has_not_is_stopped() {
    let folder = folder();
    std::fs::write(folder.path().join("file"), content(READ_BYTES_MAX)).unwrap();
    let mut guest = Guest::over(folder.path(), Access::Read).await;
    let file = guest.open("file", DescriptorFlags::READ).await.unwrap();
    for _ in 0..3 {
        assert_eq!(guest.read(&file, u64::MAX, 0).await.unwrap().unwrap().0.len(), READ_BYTES_MAX);
    }
    let error = guest.read(&file, u64::MAX, 0).await.unwrap_err();
    assert!(error.root_cause().to_string().contains("beyond end of memory"), "{error:?}");
}
