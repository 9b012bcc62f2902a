//! Components that are bombs: they try to exhaust the host before a line of a plugin runs.
//!
//! They are written by hand. Each has the two exports of a backend, with nothing in them, so that the loader goes as
//! far as it can with it.

use std::fmt::Write as _;

use larder_core::{Error, ErrorKind};
use larder_tests::attacks::Attack;
use larder_wasm::{KvPlugin, Mode, Source, inspect};

use crate::{MODES, engine, hostile, is_alive};

/// Makes a component look like a backend.
const EXPORTS: &str = r#"(instance $none)
    (export "larder:store/kv@0.1.0" (instance $none))
    (export "larder:store/lifecycle@0.1.0" (instance $none))"#;

/// A component of which a part goes off when it is read, compiled or instantiated.
fn bomb(body: &str) -> Source {
    let text = format!("(component {body} {EXPORTS})");
    Source::bytes("bomb", wat::parse_str(text).expect("the text of the test is valid"))
}

/// A component with one core module that is instantiated.
fn module(body: &str) -> Source {
    bomb(&format!("(core module $m {body}) (core instance (instantiate $m))"))
}

async fn goes_off(source: &Source, mode: Mode) -> Error {
    let engine = engine();
    let options = hostile(&[]).with_mode(mode);
    let error = KvPlugin::load(&engine, source, options).await.expect_err("a bomb is no plugin");
    is_alive(&engine).await;
    error
}

/// Refused in both modes: as not valid, or as one that took too much.
async fn assert_harmless(mut attack: Attack, sources: &[Source], kinds: &[ErrorKind]) {
    for source in sources {
        for mode in MODES {
            let error = goes_off(source, mode).await;
            assert!(kinds.contains(&error.kind()), "{mode:?}: {}", error.chain());
            assert!(error.chain().len() < 10_000, "an error of {} bytes", error.chain().len());
            attack.reported(&error);
        }
    }
    attack.held();
}

#[tokio::test]
async fn tables_above_the_limit_are_not_made() {
    let attack = Attack::begin("table bomb");
    let one = module("(table 4000000000 funcref)");
    let many = module(&"(table 60000 funcref)".repeat(50));
    let grown = module(
        r#"(table $t 0 funcref)
        (func $grow
          (if (i32.eq (table.grow $t (ref.null func) (i32.const 1000000)) (i32.const -1)) (then unreachable)))
        (start $grow)"#,
    );
    assert_harmless(attack, &[one, many, grown], &[ErrorKind::Plugin]).await;
}

#[tokio::test]
async fn memories_above_the_limit_together_are_not_made() {
    let attack = Attack::begin("memory bomb over several memories");
    // 48 MiB each, of 64 that are allowed.
    let in_one_module = module("(memory 768) (memory 768)");
    let memory = "(core module $m (memory 768))";
    let in_many = bomb(&format!("{memory} {}", "(core instance (instantiate $m))".repeat(50)));
    assert_harmless(attack, &[in_one_module, in_many], &[ErrorKind::Plugin, ErrorKind::Config]).await;
}

#[tokio::test]
async fn thousands_of_core_instances_are_not_made() {
    let attack = Attack::begin("bomb of core instances");
    let many = "(core instance (instantiate $m))".repeat(20_000);
    let source = bomb(&format!("(core module $m (memory 1)) {many}"));
    assert_harmless(attack, &[source], &[ErrorKind::Plugin, ErrorKind::Config]).await;
}

#[tokio::test]
async fn code_that_runs_at_instantiation_has_the_limits_of_any_call() {
    let late = [ErrorKind::Plugin, ErrorKind::Timeout];
    for (row, body, kinds) in [
        ("endless loop at instantiation", "(loop $l (br $l))", &late[..]),
        ("trap at instantiation", "unreachable", &late[..1]),
        ("recursion at instantiation", "(call $f)", &late[..1]),
    ] {
        let source = module(&format!("(func $f {body}) (start $f)"));
        assert_harmless(Attack::begin(row), &[source], kinds).await;
    }
}

#[tokio::test]
async fn types_that_nest_or_explode_are_refused() {
    let invalid = [ErrorKind::Config];
    let mut nested = "(type $t0 (list u8))".to_owned();
    for n in 1..=50_000 {
        write!(nested, "(type $t{n} (list $t{}))", n - 1).expect("a string takes all");
    }
    assert_harmless(Attack::begin("deeply nested types"), &[bomb(&nested)], &invalid).await;
    let mut doubled = "(type $t0 (tuple u64 u64))".to_owned();
    for n in 1..=64 {
        write!(doubled, "(type $t{n} (tuple $t{0} $t{0}))", n - 1).expect("a string takes all");
    }
    assert_harmless(Attack::begin("type that explodes"), &[bomb(&doubled)], &invalid).await;
}

/// A component that holds one, that holds one, and so on.
#[tokio::test]
async fn components_in_components_are_refused() {
    let mut bytes = wat::parse_str("(component)").unwrap();
    let head = bytes.clone();
    for _ in 0..2_000 {
        let mut outer = head.clone();
        outer.push(4);
        leb128(&mut outer, bytes.len());
        outer.append(&mut bytes);
        bytes = outer;
    }
    let source = Source::bytes("nested", bytes);
    assert_harmless(Attack::begin("deeply nested components"), &[source], &[ErrorKind::Config]).await;
}

fn leb128(bytes: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        bytes.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return;
        }
    }
}

/// A section of a component: a number of items, and their bytes.
fn section(component: &mut Vec<u8>, id: u8, count: usize, items: &[u8]) {
    let mut body = Vec::new();
    leb128(&mut body, count);
    body.extend_from_slice(items);
    component.push(id);
    leb128(component, body.len());
    component.append(&mut body);
}

/// Made byte by byte: the tools that make components of text take hours for these.
fn sections(sections: &[(u8, usize, Vec<u8>)]) -> Source {
    let mut component = wat::parse_str("(component)").unwrap();
    for (id, count, items) in sections {
        section(&mut component, *id, *count, items);
    }
    Source::bytes("bomb", component)
}

/// `n0`, `n1`… with their lengths, between what stands before and after each.
fn named(count: usize, before: &[u8], after: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in 0..count {
        let name = format!("n{n}");
        bytes.extend_from_slice(before);
        leb128(&mut bytes, name.len());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(after);
    }
    bytes
}

/// The numbers of the sections, of a component's binary form.
const INSTANCES: u8 = 5;
const TYPES: u8 = 7;
const IMPORTS: u8 = 10;
const EXPORTS_OF: u8 = 11;

#[tokio::test]
async fn sections_without_measure_are_refused() {
    let invalid = [ErrorKind::Config];
    let mut record = vec![0x72];
    leb128(&mut record, 200_000);
    record.append(&mut named(200_000, &[], &[0x7d]));
    let lists = [0x70, 0x7d].repeat(1_100_000);
    let sources = [sections(&[(TYPES, 1, record)]), sections(&[(TYPES, 1_100_000, lists)])];
    assert_harmless(Attack::begin("huge type section"), &sources, &invalid).await;
    // An instance with nothing in it, as a type and as itself.
    let imports = named(200_000, &[0], &[5, 0]);
    let exports = named(200_000, &[0], &[5, 0, 0]);
    let sources = [
        sections(&[(TYPES, 1, vec![0x42, 0]), (IMPORTS, 200_000, imports)]),
        sections(&[(INSTANCES, 1, vec![1, 0]), (EXPORTS_OF, 200_000, exports)]),
    ];
    let kinds = [ErrorKind::Config, ErrorKind::Denied];
    assert_harmless(Attack::begin("huge imports and exports"), &sources, &kinds).await;
    let body = "(drop (i32.const 1))".repeat(1_000_000);
    let huge = module(&format!("(func {body})"));
    assert_harmless(Attack::begin("huge function"), &[huge], &invalid).await;
}

/// To read what a component is must not be deceived either.
#[tokio::test]
async fn names_that_only_look_like_the_contracts_are_not_taken_for_it() {
    let mut attack = Attack::begin("shadowed and misspelt exports");
    let kv = "larder:store/kv@0.1.0";
    let twice = format!("(component (instance $i) {0} {0})", format!("(export \"{kv}\" (instance $i))"));
    // wat does not check; the host does.
    let twice = Source::bytes("twice", wat::parse_str(twice).unwrap());
    let error = goes_off(&twice, Mode::Auto).await;
    assert_eq!(error.kind(), ErrorKind::Config, "{}", error.chain());
    attack.reported(&error);
    for name in
        ["larder:store/kv", "larder:store/kv@0.1.0-rc", "larder:stores/kv@0.1.0", "xlarder:store/kv@0.1.0"]
    {
        let text = format!("(component (instance $i) (export \"{name}\" (instance $i)))");
        let source = Source::bytes("alike", wat::parse_str(text).unwrap());
        let error = goes_off(&source, Mode::Auto).await;
        assert_eq!(error.kind(), ErrorKind::Config, "{name}: {}", error.chain());
        attack.reported(&error);
        assert_eq!(inspect(&engine(), &source).unwrap().world, None, "{name}");
    }
    attack.held();
}
