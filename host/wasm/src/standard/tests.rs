//! The drafts told apart by their types, whatever their version says.

use wasmtime::component::Component;

use super::Standard;
use crate::{Engine, EngineOptions};

/// A component that exports a `wasi:keyvalue/store` with nothing behind it.
fn component(version: &str, cursor: &str) -> String {
    let name = if cursor == "string" { "text" } else { "number" };
    let rest =
        format!(r#"(param "cursor" (option {cursor})) (result (result (list string) (error string)))"#);
    format!(
        r#"(component
        (core module $m
          (memory (export "m") 1)
          (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable)
          (func (export "number") (param i32 i32 i64) (result i32) unreachable)
          (func (export "text") (param i32 i32 i32 i32) (result i32) unreachable))
        (core instance $i (instantiate $m))
        (type $bucket (resource (rep i32)))
        (func $list (param "self" (borrow $bucket)) {rest}
          (canon lift (core func $i "{name}") (memory (core memory $i "m")) (realloc (core func $i "r"))))
        (component $interface
          (import "bucket" (type $inner (sub resource)))
          (import "list" (func $inner-list (param "self" (borrow $inner)) {rest}))
          (export $outer "bucket" (type $inner))
          (export "[method]bucket.list-keys" (func $inner-list) (func (param "self" (borrow $outer)) {rest})))
        (instance $store (instantiate $interface (with "bucket" (type $bucket)) (with "list" (func $list))))
        (export "wasi:keyvalue/store@{version}" (instance $store)))"#
    )
}

fn shape(text: &str) -> Option<Result<String, String>> {
    let engine = Engine::new(EngineOptions::default()).unwrap();
    let component = Component::new(engine.wasmtime(), wat::parse_str(text).unwrap()).unwrap();
    let found = Standard::find(engine.wasmtime(), &component.component_type())?;
    Some(found.map(|found| found.to_string()))
}

#[test]
fn the_drafts_are_told_apart_by_their_cursors_and_not_by_their_version() {
    let store = "wasi:keyvalue/store@0.2.0-draft";
    let numbers = shape(&component("0.2.0-draft", "u64"));
    assert_eq!(numbers, Some(Ok(format!("{store}, whose cursors are numbers"))));
    // What says the first draft, and is the second.
    let texts = shape(&component("0.2.0-draft", "string"));
    assert_eq!(texts, Some(Ok(format!("{store}, whose cursors are texts"))));
}

#[test]
fn types_of_no_draft_are_refused_by_the_name_of_their_function() {
    let found = shape(&component("0.2.0-draft", "s64")).unwrap();
    assert!(found.as_ref().is_err_and(|why| why.contains("[method]bucket.list-keys")), "{found:?}");
}

#[test]
fn what_exports_nothing_of_the_kind_is_none() {
    assert_eq!(shape("(component)"), None);
}
