use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    sync::Barrier,
};

use larder_core::ErrorKind;
use tempfile::TempDir;

use super::*;

/// A component with code and data, and an engine like larder's.
struct Bench {
    home: TempDir,
    engine: wasmtime::Engine,
    component: Component,
}

const ONE: Fingerprint = Fingerprint([1; 32]);
const OTHER: Fingerprint = Fingerprint([2; 32]);
const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

impl Bench {
    fn new() -> Self {
        let engine = wasmtime::Engine::default();
        let text = r#"(component
            (core module $m
                (memory (export "memory") 1)
                (data (i32.const 0) "some data")
                (func (export "f") (result i32) i32.const 7))
            (core instance $i (instantiate $m))
            (func (export "f") (result u32) (canon lift (core func $i "f"))))"#;
        let component = Component::from_binary(&engine, &wat::parse_str(text).unwrap()).unwrap();
        Self { home: tempfile::tempdir().unwrap(), engine, component }
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("compiled")
    }

    fn open(&self) -> Result<Cache> {
        Cache::open(&self.folder(), FOLDER_BYTES_MAX, &self.engine)
    }

    /// A cache with one entry, and the entry's path.
    fn filled(&self) -> (Cache, PathBuf) {
        let cache = self.open().unwrap();
        cache.put(&ONE, DIGEST, &self.component);
        let entry = self.folder().join(cache.address(&ONE).file_name());
        assert!(entry.is_file());
        (cache, entry)
    }

    /// What is there is not used, and is gone afterwards; what is put in its place then is used.
    #[track_caller]
    fn assert_refused(&self, cache: &Cache, entry: &Path, what: &str) {
        let found = cache.get(&self.engine, &ONE);
        assert!(matches!(found, Lookup::Refused), "{what} was not refused");
        assert!(fs::symlink_metadata(entry).is_err(), "{what} is still there");
        assert!(matches!(cache.get(&self.engine, &ONE), Lookup::Absent), "{what}");
        cache.put(&ONE, DIGEST, &self.component);
        assert!(matches!(cache.get(&self.engine, &ONE), Lookup::Found(_)), "nothing is kept after {what}");
    }

    fn answer(&self, component: &Component) -> u32 {
        let mut store = wasmtime::Store::new(&self.engine, ());
        let linker = wasmtime::component::Linker::new(&self.engine);
        let instance = linker.instantiate(&mut store, component).unwrap();
        let f = instance.get_typed_func::<(), (u32,)>(&mut store, "f").unwrap();
        f.call(&mut store, ()).unwrap().0
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_is_put_is_found_with_its_digest_and_runs() {
    let bench = Bench::new();
    let (cache, _) = bench.filled();
    let Lookup::Found(found) = cache.get(&bench.engine, &ONE) else { panic!("it is not found") };
    assert_eq!(found.digest, DIGEST);
    assert_eq!(bench.answer(&found.component), 7);
    assert!(matches!(cache.get(&bench.engine, &OTHER), Lookup::Absent));
    drop(cache);
    let again = bench.open().unwrap();
    assert!(
        matches!(again.get(&bench.engine, &ONE), Lookup::Found(_)),
        "it is not found by the next process"
    );
}

#[test]
fn the_folder_the_key_and_the_entries_are_for_nobody_else() {
    let bench = Bench::new();
    let (_, entry) = bench.filled();
    assert_eq!(mode(&bench.folder()), 0o700);
    assert_eq!(mode(&bench.folder().join("key")), 0o600);
    assert_eq!(mode(&entry), 0o600);
    let names = fs::read_dir(bench.folder()).unwrap().count();
    assert_eq!(names, 2, "something unfinished is left");
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let bench = Bench::new();
    let (cache, entry) = bench.filled();
    let length = fs::read(&entry).unwrap().len();
    let in_code = [entry::HEADER_BYTES, entry::HEADER_BYTES + 64, length / 2, length - 1];
    for at in (0..entry::HEADER_BYTES).step_by(4).chain(in_code) {
        let mut bytes = fs::read(&entry).unwrap();
        bytes[at] ^= 1;
        fs::write(&entry, bytes).unwrap();
        bench.assert_refused(&cache, &entry, &format!("a changed byte {at}"));
    }
}

#[test]
fn an_entry_that_is_cut_or_longer_is_refused() {
    let bench = Bench::new();
    let (cache, entry) = bench.filled();
    let whole = fs::read(&entry).unwrap();
    for length in [0, 1, entry::HEADER_BYTES - 1, entry::HEADER_BYTES, whole.len() / 2, whole.len() - 1] {
        fs::write(&entry, &whole[..length]).unwrap();
        bench.assert_refused(&cache, &entry, &format!("an entry of {length} bytes"));
    }
    let longer = [whole.as_slice(), b"x"].concat();
    fs::write(&entry, longer).unwrap();
    bench.assert_refused(&cache, &entry, "a longer entry");
}

#[test]
fn an_entry_in_the_place_of_another_is_refused() {
    let bench = Bench::new();
    let (cache, entry) = bench.filled();
    cache.put(&OTHER, DIGEST, &bench.component);
    fs::rename(bench.folder().join(cache.address(&OTHER).file_name()), &entry).unwrap();
    bench.assert_refused(&cache, &entry, "the entry of another component");
}

#[test]
fn what_another_engine_compiled_is_not_found_and_in_the_right_place_refused() {
    let bench = Bench::new();
    let (_, theirs) = bench.filled();
    let mut config = wasmtime::Config::new();
    config.epoch_interruption(true);
    let engine = wasmtime::Engine::new(&config).unwrap();
    let cache = Cache::open(&bench.folder(), FOLDER_BYTES_MAX, &engine).unwrap();
    assert!(matches!(cache.get(&engine, &ONE), Lookup::Absent));
    fs::copy(&theirs, bench.folder().join(cache.address(&ONE).file_name())).unwrap();
    assert!(matches!(cache.get(&engine, &ONE), Lookup::Refused));
}

#[test]
fn entries_of_another_key_are_refused() {
    let bench = Bench::new();
    let (_, entry) = bench.filled();
    fs::write(bench.folder().join("key"), [7; 32]).unwrap();
    let cache = bench.open().unwrap();
    bench.assert_refused(&cache, &entry, "an entry of another key");
}

#[test]
fn what_is_no_private_file_is_refused() {
    let bench = Bench::new();
    let (cache, entry) = bench.filled();
    set_mode(&entry, 0o620);
    bench.assert_refused(&cache, &entry, "an entry that others may write");
    let elsewhere = bench.home.path().join("elsewhere");
    fs::rename(&entry, &elsewhere).unwrap();
    symlink(&elsewhere, &entry).unwrap();
    bench.assert_refused(&cache, &entry, "a link");
    assert!(elsewhere.is_file(), "what the link led to is gone");
    fs::remove_file(&entry).unwrap();
    fs::create_dir(&entry).unwrap();
    bench.assert_refused(&cache, &entry, "a folder");
    fs::remove_file(&entry).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &entry,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    bench.assert_refused(&cache, &entry, "a pipe");
}

#[test]
fn a_folder_that_others_may_write_or_that_is_a_link_is_no_cache() {
    let bench = Bench::new();
    fs::create_dir(bench.folder()).unwrap();
    for bad in [0o720, 0o702, 0o777] {
        set_mode(&bench.folder(), bad);
        let error = bench.open().err().expect("it is opened");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("written by others"), "{error}");
    }
    set_mode(&bench.folder(), 0o700);
    let link = bench.home.path().join("link");
    symlink(bench.folder(), &link).unwrap();
    let error = Cache::open(&link, FOLDER_BYTES_MAX, &bench.engine).err().expect("it is opened");
    assert!(error.message().contains("symbolic link"), "{error}");
    let file = bench.home.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(Cache::open(&file, FOLDER_BYTES_MAX, &bench.engine).is_err());
}

#[test]
fn a_key_that_others_may_read_or_that_is_none_is_no_key() {
    let bench = Bench::new();
    drop(bench.filled());
    let key = bench.folder().join("key");
    set_mode(&key, 0o640);
    assert!(bench.open().err().expect("it is opened").message().contains("others may read it"));
    set_mode(&key, 0o600);
    for bytes in [&[1; 31][..], &[1; 33]] {
        fs::write(&key, bytes).unwrap();
        assert!(bench.open().err().expect("it is opened").message().contains("32 bytes"));
    }
    fs::rename(&key, bench.home.path().join("key")).unwrap();
    symlink(bench.home.path().join("key"), &key).unwrap();
    assert!(bench.open().err().expect("it is opened").message().contains("symbolic link"));
}

#[test]
fn what_was_used_longest_ago_goes_when_the_folder_is_full() {
    let bench = Bench::new();
    let (cache, entry) = bench.filled();
    let two = fs::metadata(&entry).unwrap().len() * 2;
    let cache = Cache { bytes_max: two, ..cache };
    let age = |fingerprint: &Fingerprint, seconds: i64| {
        let file = cache.folder.open_file(&cache.address(fingerprint).file_name()).unwrap().unwrap();
        let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 0 };
        let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
        rustix::fs::futimens(&file, &times).unwrap();
    };
    cache.put(&OTHER, DIGEST, &bench.component);
    age(&ONE, 1_000);
    age(&OTHER, 2_000);
    assert!(matches!(cache.get(&bench.engine, &ONE), Lookup::Found(_)), "used now");
    cache.put(&Fingerprint([3; 32]), DIGEST, &bench.component);
    assert!(matches!(cache.get(&bench.engine, &ONE), Lookup::Found(_)), "the one in use is gone");
    assert!(matches!(cache.get(&bench.engine, &OTHER), Lookup::Absent), "the older one is still there");
}

#[test]
fn all_who_open_a_new_folder_at_once_have_one_key() {
    let bench = Bench::new();
    let start = Barrier::new(8);
    let macs: Vec<blake3::Hash> = std::thread::scope(|scope| {
        let opened: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    bench.open().unwrap().key.mac().finalize()
                })
            })
            .collect();
        opened.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(macs.iter().all(|mac| *mac == macs[0]));
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_authenticated_can_not_be_changed_before_it_runs() {
    use std::io::Write as _;

    let mut collecting = code::Collecting::new(4);
    collecting.push(b"code").unwrap();
    let mut file = collecting.sealed_file().expect("this system has sealed memory");
    let authenticated = collecting.authenticated().unwrap();
    assert!(file.write_all(b"evil").is_err());
    assert!(file.set_len(0).is_err());
    drop(authenticated);
}
