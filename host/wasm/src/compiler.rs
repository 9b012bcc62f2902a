//! From a component's bytes to code: out of memory, out of the cache on the disk, or compiled.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use larder_core::{Error, ErrorKind, Result};
use tokio::sync::Semaphore;
use wasmtime::component::Component;

use crate::{
    compiled::{Cache, Cached, Lookup},
    engine::Engine,
    options::EngineOptions,
    source::{Fingerprint, Loaded, Source},
};

/// How many components are compiled at once; more would only take the cores from the fetcher.
const COMPILATIONS_MAX: usize = 2;

/// How many compiled components are kept in memory: a few megabytes each.
const IN_MEMORY_MAX: usize = 4;

/// What an engine did for the components that it was given. Each counts since the engine was set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Compilations {
    /// Compiled here.
    pub compiled: u64,
    /// Taken from memory: the same component again.
    pub from_memory: u64,
    /// Taken from the folder of compiled components.
    pub from_disk: u64,
    /// Entries of that folder that were not to be believed; each was removed, and compiled anew.
    pub refused: u64,
}

/// Compiles, and remembers.
pub(crate) struct Compiler {
    permits: Semaphore,
    cache: Option<Cache>,
    /// What was used last, newest first: the same component serves several plugins, is swapped back to, and is loaded again and
    /// again by a conformance run.
    in_memory: Mutex<VecDeque<(Fingerprint, String, Component)>>,
    compiled: AtomicU64,
    from_memory: AtomicU64,
    from_disk: AtomicU64,
    refused: AtomicU64,
}

/// A component that was read, compiled or not.
pub(crate) enum Read {
    /// It had been compiled before.
    Compiled { digest: String, component: Component },
    /// Its bytes.
    Bytes(Loaded),
}

impl Read {
    pub(crate) fn digest(&self) -> &str {
        match self {
            Self::Compiled { digest, .. } => digest,
            Self::Bytes(loaded) => &loaded.digest,
        }
    }
}

impl Compiler {
    pub(crate) fn new(engine: &wasmtime::Engine, options: &EngineOptions) -> Self {
        let opened = options.compiled.as_ref().map(|f| Cache::open(f, options.compiled_bytes_max, engine));
        let cache = opened.and_then(|opened| {
            opened.inspect_err(|e| tracing::warn!("compiled components are not kept: {}", e.chain())).ok()
        });
        Self {
            permits: Semaphore::new(COMPILATIONS_MAX),
            cache,
            in_memory: Mutex::default(),
            compiled: AtomicU64::new(0),
            from_memory: AtomicU64::new(0),
            from_disk: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    pub(crate) fn folder(&self) -> Option<&Path> {
        self.cache.as_ref().map(Cache::path)
    }

    pub(crate) fn counts(&self) -> Compilations {
        Compilations {
            compiled: self.compiled.load(Ordering::Relaxed),
            from_memory: self.from_memory.load(Ordering::Relaxed),
            from_disk: self.from_disk.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// Reads a component, and finds its code if it was compiled before. Blocks for the disk.
    pub(crate) fn read(
        &self,
        engine: &wasmtime::Engine,
        source: &Source,
        limit_bytes: usize,
        sha256: Option<&str>,
    ) -> Result<Read> {
        let fingerprint = source.fingerprint(limit_bytes)?;
        match self.find(engine, &fingerprint) {
            Some(Cached { component, digest }) => {
                source.check_pin(&digest, sha256)?;
                Ok(Read::Compiled { digest, component })
            }
            None => source.load(limit_bytes, sha256).map(Read::Bytes),
        }
    }

    /// Compiles what was read, off the runtime's threads, if it has to be.
    pub(crate) async fn compile(engine: &Arc<Engine>, read: Read, name: &str) -> Result<Component> {
        let loaded = match read {
            Read::Compiled { component, .. } => return Ok(component),
            Read::Bytes(loaded) => loaded,
        };
        let permit = engine.compiler().permits.acquire().await;
        let _permit = permit.map_err(|e| Error::invalid("the engine is closed").caused_by(e))?;
        let engine = Arc::clone(engine);
        let compiling = move || engine.compiler().compile_now(engine.wasmtime(), &loaded);
        tokio::task::spawn_blocking(compiling)
            .await
            .map_err(|e| Error::new(ErrorKind::Plugin, "compiling the component panicked").caused_by(e))
            .flatten()
            .map_err(|e| e.with("plugin", name))
    }

    /// Compiles a component on this thread, if it has to be: tens of milliseconds for a small one, seconds for an
    /// interpreter.
    pub(crate) fn compile_now(&self, engine: &wasmtime::Engine, loaded: &Loaded) -> Result<Component> {
        // Another may have compiled it since it was read.
        if let Some(found) = self.find(engine, &loaded.fingerprint) {
            return Ok(found.component);
        }
        let component = Component::from_binary(engine, &loaded.bytes)
            .map_err(|e| Error::config("the component is not valid").caused_by(e.into_boxed_dyn_error()))?;
        self.compiled.fetch_add(1, Ordering::Relaxed);
        if let Some(cache) = &self.cache {
            cache.put(&loaded.fingerprint, &loaded.digest, &component);
        }
        self.remember(loaded.fingerprint, &loaded.digest, &component);
        Ok(component)
    }

    fn find(&self, engine: &wasmtime::Engine, fingerprint: &Fingerprint) -> Option<Cached> {
        if let Some(found) = self.recall(fingerprint) {
            self.from_memory.fetch_add(1, Ordering::Relaxed);
            return Some(found);
        }
        match self.cache.as_ref()?.get(engine, fingerprint) {
            Lookup::Found(cached) => {
                self.from_disk.fetch_add(1, Ordering::Relaxed);
                self.remember(*fingerprint, &cached.digest, &cached.component);
                Some(cached)
            }
            Lookup::Absent => None,
            Lookup::Refused => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }

    fn recall(&self, fingerprint: &Fingerprint) -> Option<Cached> {
        let in_memory = self.in_memory.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, digest, component) = in_memory.iter().find(|(known, ..)| known == fingerprint)?;
        Some(Cached { component: component.clone(), digest: digest.clone() })
    }

    fn remember(&self, fingerprint: Fingerprint, digest: &str, component: &Component) {
        let mut in_memory = self.in_memory.lock().unwrap_or_else(PoisonError::into_inner);
        in_memory.push_front((fingerprint, digest.to_owned(), component.clone()));
        in_memory.truncate(IN_MEMORY_MAX);
    }
}
