//! What a component is, by the names that it imports and exports: its world, its version, what it would need.

use std::fmt;

use larder_core::{Error, ErrorKind, Result};
use wasmtime::component::Component;

use crate::{
    bindings::VERSION,
    engine::Engine,
    lift::Contract,
    options::PluginOptions,
    source::Source,
    standard::{self, Standard},
    versions::Old,
    wants::{self, Want},
};

/// The worlds of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum World {
    /// A key-value backend.
    KvBackend,
    /// In front of a key-value store.
    KvLayer,
    /// A blob backend.
    BlobBackend,
    /// In front of a blob store.
    BlobLayer,
    /// Decides what a cache tier keeps.
    CachePolicy,
    /// Resolves conflicting values.
    MergePolicy,
}

impl World {
    const ALL: [World; 6] = [
        Self::KvBackend,
        Self::KvLayer,
        Self::BlobBackend,
        Self::BlobLayer,
        Self::CachePolicy,
        Self::MergePolicy,
    ];

    /// Its name in `wit/`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KvBackend => "kv-backend",
            Self::KvLayer => "kv-layer",
            Self::BlobBackend => "blob-backend",
            Self::BlobLayer => "blob-layer",
            Self::CachePolicy => "cache-policy",
            Self::MergePolicy => "merge-policy",
        }
    }

    /// Whether it stands in front of another store.
    pub fn is_layer(self) -> bool {
        matches!(self, Self::KvLayer | Self::BlobLayer)
    }

    /// The interface that it exports besides `lifecycle`, and imports if it is a layer.
    fn interface(self) -> &'static str {
        match self {
            Self::KvBackend | Self::KvLayer => "kv",
            Self::BlobBackend | Self::BlobLayer => "blob",
            Self::CachePolicy => "policy",
            Self::MergePolicy => "merge",
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a component is and wants.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Inspection {
    /// Its world, if it fits one.
    pub world: Option<World>,
    /// The version of the contract that it was built for, if it exports a part of it.
    pub version: Option<String>,
    /// What of WASI it is a store by, with its draft, where it is none of larder's own worlds.
    pub standard: Option<String>,
    /// The version that this host speaks.
    pub host_version: &'static str,
    /// Everything that it imports.
    pub imports: Vec<String>,
    /// Everything that it exports.
    pub exports: Vec<String>,
    /// Whether it hands its state to the next generation.
    pub has_handoff: bool,
    /// Its SHA-256 in hexadecimal.
    pub digest: String,
    /// Its size in bytes.
    pub size_bytes: usize,
    /// What it says it wants.
    pub wants: Vec<Want>,
}

/// Compiles a component, unless it was before, and reads its names; runs nothing of it. Blocks for the compilation.
///
/// # Errors
/// `config` where the file can't be read or is no component.
pub fn inspect(engine: &Engine, source: &Source) -> Result<Inspection> {
    let limit = crate::PluginLimits::default().component_bytes_max;
    let loaded = source.load(limit, None)?;
    let component =
        engine.compiler().compile_now(engine.wasmtime(), &loaded).map_err(|e| e.with("component", source))?;
    let names = Names::of(engine, &component);
    Ok(Inspection {
        world: names.world(),
        version: names.version().map(str::to_owned),
        standard: names.standard().map(ToString::to_string),
        host_version: VERSION,
        has_handoff: names.has_handoff(),
        digest: loaded.digest,
        size_bytes: loaded.bytes.len(),
        wants: wants::of(&loaded.bytes),
        imports: names.imports,
        exports: names.exports,
    })
}

/// The names of a component's imports and exports.
pub(crate) struct Names {
    imports: Vec<String>,
    exports: Vec<String>,
    /// What of WASI it exports, as far as that makes it a store.
    standard: Option<std::result::Result<Standard, String>>,
}

/// The package of the contract.
const PACKAGE: &str = "larder:store/";

/// WASI that harms nobody: linked for each plugin, and what it reaches is decided by the grants.
const WASI_FREE: [&str; 5] = ["wasi:io/", "wasi:cli/", "wasi:clocks/", "wasi:random/", "wasi:filesystem/"];

impl Names {
    pub(crate) fn of(engine: &Engine, component: &Component) -> Self {
        let ty = component.component_type();
        let engine = engine.wasmtime();
        Self {
            standard: Standard::find(engine, &ty),
            imports: ty.imports(engine).map(|(name, _)| name.to_owned()).collect(),
            exports: ty.exports(engine).map(|(name, _)| name.to_owned()).collect(),
        }
    }

    /// Refuses a component that is of another world or version, or imports what it is not granted.
    pub(crate) fn check(&self, wanted: World, options: &PluginOptions) -> Result<()> {
        if let Some(version) = self.version()
            && !is_compatible(version)
            && Old::find(version).is_none()
        {
            return Err(Error::config(foreign(version)));
        }
        if let Some(Err(what)) = self.wasi() {
            return Err(Error::config(format!(
                "the component exports an interface of WASI in a form that does not fit: {what}"
            )));
        }
        match self.world() {
            Some(world) if world == wanted => {}
            Some(world) => {
                return Err(Error::config(format!(
                    "the component is of world {world}, and a {wanted} is wanted here"
                )));
            }
            None => {
                return Err(Error::config(format!(
                    "the component is of no world of larder:store@{VERSION}, and a {wanted} is wanted here; it exports: {}",
                    list(&self.exports)
                )));
            }
        }
        let is_wasi = self.standard().is_some();
        let own = self.imports.iter().filter(|import| !(is_wasi && standard::reads_settings(import)));
        own.into_iter().try_for_each(|import| check_import(import, wanted, options))
    }

    /// The world whose exports are all there. A layer is told from a backend by what it imports.
    fn world(&self) -> Option<World> {
        if let Some(standard) = self.standard() {
            return Some(standard.world());
        }
        World::ALL.into_iter().find(|world| {
            has(&self.exports, "lifecycle")
                && has(&self.exports, world.interface())
                && (!matches!(world.interface(), "kv" | "blob")
                    || has(&self.imports, world.interface()) == world.is_layer())
        })
    }

    /// The version of the contract that the component exports or imports a part of.
    fn version(&self) -> Option<&str> {
        self.exports
            .iter()
            .chain(&self.imports)
            .filter_map(|name| name.strip_prefix(PACKAGE))
            .find_map(|rest| rest.split_once('@').map(|(_, version)| version))
    }

    /// What it exports of WASI, if it is none of the contract's own worlds.
    fn wasi(&self) -> Option<std::result::Result<&Standard, &String>> {
        let is_ours = self.exports.iter().any(|name| name.starts_with(PACKAGE));
        self.standard.as_ref().filter(|_| !is_ours).map(|found| found.as_ref())
    }

    fn standard(&self) -> Option<&Standard> {
        self.wasi()?.ok()
    }

    /// What the instances of a component that passed the check are called by.
    pub(crate) fn contract(&self) -> Contract {
        match (self.standard(), self.version().and_then(Old::find)) {
            (Some(standard), _) => standard.contract(),
            (None, Some(old)) => Contract::Old(old),
            (None, None) => Contract::Own,
        }
    }

    pub(crate) fn has_handoff(&self) -> bool {
        has(&self.exports, "handoff")
    }
}

/// Whether one of `names` is this interface of the contract, of any version.
fn has(names: &[String], interface: &str) -> bool {
    names
        .iter()
        .filter_map(|name| name.strip_prefix(PACKAGE))
        .any(|rest| rest.split('@').next() == Some(interface))
}

/// The same track of versions, as the component model counts them: `0.1.x` for `0.1.0`.
fn is_compatible(version: &str) -> bool {
    let track = |version: &str| {
        let mut parts = version.splitn(3, '.').map(str::to_owned);
        (parts.next(), parts.next())
    };
    track(version) == track(VERSION)
}

/// Why a component of another version can't be run, and what to do.
fn foreign(version: &str) -> String {
    let number = |version: &str| version.split('.').map_while(|part| part.parse().ok()).collect::<Vec<u32>>();
    let advice = if number(version) > number(VERSION) {
        "a later larder runs it, or an earlier SDK builds it for this one"
    } else {
        "it is older than what this larder lifts; build it again with a later SDK"
    };
    format!(
        "the component is built for version {version} of larder:store, and this host speaks {VERSION}: {advice}"
    )
}

fn check_import(import: &str, wanted: World, options: &PluginOptions) -> Result<()> {
    let denied = |needs: &str| {
        Err(Error::new(
            ErrorKind::Denied,
            format!("the component imports {import}, which is not granted: {needs}"),
        ))
    };
    if let Some(rest) = import.strip_prefix(PACKAGE) {
        let interface = rest.split('@').next().unwrap_or_default();
        let free =
            matches!(interface, "types" | "log") || (wanted.is_layer() && interface == wanted.interface());
        return if free { Ok(()) } else { denied("no plugin of this world may have it") };
    }
    if WASI_FREE.iter().any(|free| import.starts_with(free)) {
        return Ok(());
    }
    if import.starts_with("wasi:sockets/") {
        let is_granted = !options.grants.tcp.is_empty();
        return if is_granted {
            Ok(())
        } else {
            denied("a grant of TCP would allow it, `grants.tcp: [\"HOST:PORT\"]`")
        };
    }
    if let Some(rest) = import.strip_prefix("wasi:http/") {
        let interface = rest.split('@').next().unwrap_or_default();
        return match interface {
            "types" | "outgoing-handler" if !options.grants.http.is_empty() => Ok(()),
            "types" | "outgoing-handler" => {
                denied("a grant of HTTP would allow it, `grants.http: [\"https://HOST\"]`")
            }
            _ => denied("a plugin sends requests by HTTP and answers none"),
        };
    }
    denied("larder offers WASI 0.2, and what the configuration grants")
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
