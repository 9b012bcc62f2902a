//! Which draft of `wasi:keyvalue` a component exports, and whether it exports all of `wasi:blobstore`.
//!
//! The drafts of `wasi:keyvalue` were never released, and one version string stands for several shapes: cursors are numbers or texts, increments
//! are of `u64` or `s64`, `get-many` answers in two ways, and some publish all of it as async functions. So the shape is read from the
//! types of the functions, and the version is only shown.

use std::fmt;

use wasmtime::{
    Engine,
    component::types::{self, ComponentFunc, ComponentInstance, ComponentItem, Type},
};

use super::config;

/// The packages.
const KEYVALUE: &str = "wasi:keyvalue/";
const BLOBSTORE: &str = "wasi:blobstore/";
const IO: &str = "wasi:io/";

/// The shape of an exported `wasi:keyvalue`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keyvalue {
    /// The name of `store`, with its version.
    pub(crate) store: String,
    /// What a listing goes on from.
    pub(crate) cursor: Cursor,
    /// The name of `batch`, and how it answers.
    pub(crate) batch: Option<(String, Batch)>,
    /// The name of `atomics`, where it has compare-and-swap.
    pub(crate) swaps: Option<String>,
    /// Whether it imports what tells it its settings.
    pub(crate) reads_settings: bool,
}

impl fmt::Display for Keyvalue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cursor = match self.cursor {
            Cursor::Number => "numbers",
            Cursor::Text => "texts",
        };
        write!(f, "{}, whose cursors are {cursor}", self.store)?;
        if self.swaps.is_some() {
            f.write_str(", with compare-and-swap")?;
        }
        if self.batch.is_some() {
            f.write_str(", with batches")?;
        }
        Ok(())
    }
}

/// What a listing goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// A number, as in the first draft.
    Number,
    /// A text, as in the second.
    Text,
}

/// How `get-many` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Batch {
    /// Pairs of key and value, none for what is not there.
    Pairs,
    /// Each key, with its value or none: since the second draft was changed.
    Keys,
}

/// The shape of what a component exports, if it exports a `wasi:keyvalue/store`.
///
/// # Errors
/// What is not as in any draft that is known.
pub(crate) fn keyvalue(engine: &Engine, component: &types::Component) -> Option<Result<Keyvalue, String>> {
    let store = exported(engine, component, KEYVALUE, "store")?;
    Some(read(engine, component, store))
}

fn read(
    engine: &Engine,
    component: &types::Component,
    (store, instance): (String, ComponentInstance),
) -> Result<Keyvalue, String> {
    let cursor = match argument(engine, &store, &instance, "[method]bucket.list-keys", 1)? {
        Type::Option(option) if option.ty() == Type::U64 => Cursor::Number,
        Type::Option(option) if option.ty() == Type::String => Cursor::Text,
        _ => return Err(unknown(&store, "[method]bucket.list-keys")),
    };
    let batch = match exported(engine, component, KEYVALUE, "batch") {
        None => None,
        Some((name, instance)) => {
            let get_many = function(engine, &name, &instance, "get-many")?;
            let shape = batch(&get_many).ok_or_else(|| unknown(&name, "get-many"))?;
            Some((name, shape))
        }
    };
    let swaps = match exported(engine, component, KEYVALUE, "atomics") {
        None => None,
        Some((name, instance)) => {
            argument(engine, &name, &instance, "increment", 2)?;
            let has_swap = instance.get_export(engine, "swap").is_some();
            has_swap.then_some(name)
        }
    };
    let reads_settings = component.imports(engine).any(|(name, _)| config::NAMES.contains(&name));
    Ok(Keyvalue { store, cursor, batch, swaps, reads_settings })
}

/// An exported `wasi:blobstore`, by the names of its interfaces with their versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blobstore {
    pub(crate) types: String,
    pub(crate) container: String,
    pub(crate) blobstore: String,
    /// `streams` and `error` of `wasi:io`, in which its bodies are.
    pub(crate) streams: (String, String),
    /// Whether it imports what tells it its settings.
    pub(crate) reads_settings: bool,
}

/// The same of `wasi:blobstore`. Its functions are compared when they are found.
///
/// # Errors
/// What is missing of it.
pub(crate) fn blobstore(engine: &Engine, component: &types::Component) -> Option<Result<Blobstore, String>> {
    let (blobstore, _) = exported(engine, component, BLOBSTORE, "blobstore")?;
    let named = |package, interface: &str, why: &str| {
        let found = exported(engine, component, package, interface).map(|(name, _)| name);
        found.ok_or_else(|| format!("it exports `{blobstore}` without `{package}{interface}`{why}"))
    };
    let streams = ", and larder writes bodies into streams of the component's own";
    let found = || {
        Ok(Blobstore {
            types: named(BLOBSTORE, "types", "")?,
            container: named(BLOBSTORE, "container", "")?,
            streams: (named(IO, "streams", streams)?, named(IO, "error", streams)?),
            reads_settings: component.imports(engine).any(|(name, _)| config::NAMES.contains(&name)),
            blobstore: blobstore.clone(),
        })
    };
    Some(found())
}

/// An exported interface of a package, whatever its version.
fn exported(
    engine: &Engine,
    component: &types::Component,
    package: &str,
    interface: &str,
) -> Option<(String, ComponentInstance)> {
    component.exports(engine).find_map(|(name, item)| match item.ty {
        ComponentItem::ComponentInstance(instance) => {
            let own = name.strip_prefix(package)?.split('@').next()? == interface;
            own.then(|| (name.to_owned(), instance))
        }
        _ => None,
    })
}

fn function(
    engine: &Engine,
    interface: &str,
    instance: &ComponentInstance,
    name: &str,
) -> Result<ComponentFunc, String> {
    match instance.get_export(engine, name).map(|item| item.ty) {
        Some(ComponentItem::ComponentFunc(func)) if func.async_() => Err(format!(
            "`{interface}#{name}` is an async function, and larder calls those of WASI 0.2, which are not"
        )),
        Some(ComponentItem::ComponentFunc(func)) => Ok(func),
        _ => Err(format!("it exports no function `{interface}#{name}`")),
    }
}

/// The type of one argument.
fn argument(
    engine: &Engine,
    interface: &str,
    instance: &ComponentInstance,
    name: &str,
    position: usize,
) -> Result<Type, String> {
    let func = function(engine, interface, instance, name)?;
    func.params().nth(position).map(|(_, ty)| ty).ok_or_else(|| unknown(interface, name))
}

fn batch(get_many: &ComponentFunc) -> Option<Batch> {
    let Type::Result(result) = get_many.results().next()? else { return None };
    let Type::List(list) = result.ok()? else { return None };
    match list.ty() {
        Type::Option(_) => Some(Batch::Pairs),
        Type::Tuple(_) => Some(Batch::Keys),
        _ => None,
    }
}

fn unknown(interface: &str, name: &str) -> String {
    format!("`{interface}#{name}` has the types of no draft that larder knows")
}
