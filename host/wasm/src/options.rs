//! What a plugin is given: settings, grants, limits, and how it is called.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use larder_core::{Clock, SystemClock};
use tokio::sync::Semaphore;

use crate::{
    compiled,
    log::LogBudget,
    network::{HttpGrant, Resolver, SystemResolver, TcpGrant, http::Pool},
    supervision::SupervisionRules,
    swap::Audit,
};

/// Most names that are being resolved at once for all instances of a plugin: each holds a thread of the host.
pub(crate) const LOOKUPS_MAX: usize = 8;

/// Settings of an [`Engine`](crate::Engine).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineOptions {
    /// Where compiled components are kept, so that each is compiled once; none compiles anew each time. Its files are run as
    /// code: the folder must belong to this user, and nobody else may write it. It is made if it is not there.
    pub compiled: Option<PathBuf>,
    /// How many bytes the compiled components may have together; what was used longest ago goes.
    pub compiled_bytes_max: u64,
}

impl EngineOptions {
    /// Keeps compiled components in a folder.
    #[must_use]
    pub fn with_compiled(mut self, folder: impl Into<PathBuf>) -> Self {
        self.compiled = Some(folder.into());
        self
    }
}

impl Default for EngineOptions {
    /// Keeps nothing on the disk.
    fn default() -> Self {
        Self { compiled: None, compiled_bytes_max: compiled::FOLDER_BYTES_MAX }
    }
}

/// Everything about a plugin but its code. The same options serve each of its generations.
#[derive(Clone)]
#[non_exhaustive]
pub struct PluginOptions {
    /// Its name in the configuration, in errors and in logs.
    pub name: String,
    /// Handed to its `configure`. May hold secrets; `Debug` shows the names only.
    pub settings: Vec<(String, String)>,
    /// The SHA-256 that the component must have, in hexadecimal; none accepts any.
    pub sha256: Option<String>,
    /// What it may reach.
    pub grants: Grants,
    /// What it may use.
    pub limits: PluginLimits,
    /// What its component may do wrong.
    pub supervision: SupervisionRules,
    /// How it is called.
    pub mode: Mode,
    /// The wall clock that it sees, and that expiries and back-offs are counted by.
    pub clock: Arc<dyn Clock>,
    /// What resolves the names of its grants.
    pub resolver: Arc<dyn Resolver>,
    /// Where its swaps are written down; several plugins may share it.
    pub audit: Arc<Audit>,
    /// Bounds how many names are being resolved at once.
    pub(crate) lookups: Arc<Semaphore>,
    /// The lines that it may still say.
    pub(crate) log: Arc<LogBudget>,
    /// Connections of its HTTP that wait for the next request; those of this plugin alone.
    pub(crate) connections: Arc<Pool>,
}

impl PluginOptions {
    /// No settings, no grants, the ordinary limits.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            settings: Vec::new(),
            sha256: None,
            grants: Grants::default(),
            limits: PluginLimits::default(),
            supervision: SupervisionRules::default(),
            mode: Mode::default(),
            clock: Arc::new(SystemClock),
            resolver: Arc::new(SystemResolver),
            audit: Arc::default(),
            lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            log: Arc::default(),
            connections: Arc::default(),
        }
    }

    /// Adds a setting.
    #[must_use]
    pub fn with_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Grants a folder.
    #[must_use]
    pub fn with_folder(mut self, host: impl Into<PathBuf>, guest: impl Into<String>, access: Access) -> Self {
        self.grants.folders.push(FolderGrant { host: host.into(), guest: guest.into(), access });
        self
    }

    /// Grants connections to a host and port.
    #[must_use]
    pub fn with_tcp(mut self, grant: TcpGrant) -> Self {
        self.grants.tcp.push(grant);
        self
    }

    /// Sets where its swaps are written down.
    #[must_use]
    pub fn with_audit(mut self, audit: Arc<Audit>) -> Self {
        self.audit = audit;
        self
    }

    /// Grants requests by HTTP to an origin.
    #[must_use]
    pub fn with_http(mut self, grant: HttpGrant) -> Self {
        self.grants.http.push(grant);
        self
    }

    /// Sets what resolves the names of its grants.
    #[must_use]
    pub fn with_resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Pins the component's digest.
    #[must_use]
    pub fn with_sha256(mut self, sha256: impl Into<String>) -> Self {
        self.sha256 = Some(sha256.into());
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn with_limits(mut self, limits: PluginLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets what its component may do wrong.
    #[must_use]
    pub fn with_supervision(mut self, rules: SupervisionRules) -> Self {
        self.supervision = rules;
        self
    }

    /// Sets how it is called.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Whether calls may hold their thread: those of a plugin with a folder do, for as long as the disk takes.
    pub(crate) fn holds_its_thread(&self) -> bool {
        !self.grants.folders.is_empty()
    }
}

impl fmt::Debug for PluginOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings: Vec<_> = self.settings.iter().map(|(name, _)| name).collect();
        f.debug_struct("PluginOptions")
            .field("name", &self.name)
            .field("settings", &settings)
            .field("sha256", &self.sha256)
            .field("grants", &self.grants)
            .field("limits", &self.limits)
            .field("supervision", &self.supervision)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// What a plugin may reach; nothing unless granted.
#[derive(Clone, Default)]
pub struct Grants {
    /// Folders of the host.
    pub folders: Vec<FolderGrant>,
    /// Environment variables with their values, which may be secret; `Debug` shows the names only.
    pub env: Vec<(String, String)>,
    /// Hosts and ports that it may connect to.
    pub tcp: Vec<TcpGrant>,
    /// Origins that it may send requests to by HTTP.
    pub http: Vec<HttpGrant>,
}

impl Grants {
    /// Whether it reaches what is not on this machine's disk.
    pub(crate) fn reach_network(&self) -> bool {
        !self.tcp.is_empty() || !self.http.is_empty()
    }

    /// Whether it reaches what a call may wait for.
    pub(crate) fn may_block(&self) -> bool {
        !self.folders.is_empty() || !self.tcp.is_empty() || !self.http.is_empty()
    }
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let env: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        f.debug_struct("Grants")
            .field("folders", &self.folders)
            .field("env", &env)
            .field("tcp", &self.tcp)
            .field("http", &self.http)
            .finish()
    }
}

/// A folder of the host under a name of the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderGrant {
    /// The folder; it is created if it is missing and may be written.
    pub host: PathBuf,
    /// What the plugin calls it, for example `/data`.
    pub guest: String,
    /// What it may do there.
    pub access: Access,
}

/// What may be done with a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Reading.
    #[default]
    Read,
    /// Reading and writing.
    ReadWrite,
}

/// How a plugin is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Inline where it is granted nothing that can block and sits in front of no other store; else fiber.
    #[default]
    Auto,
    /// On the caller's thread, with a small budget. Fastest; asking to wait is a trap.
    Inline,
    /// On a stack of its own, that steps aside while the plugin waits and at each tick of the clock.
    Fiber,
}

/// What a plugin may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginLimits {
    /// How long a call on a fiber may take, waiting included; also `configure`, `health` and a handoff.
    pub deadline: Duration,
    /// How long an inline call may compute: it holds the caller's thread.
    pub inline_budget: Duration,
    /// All linear memories of an instance together, in bytes.
    pub memory_bytes_max: usize,
    /// All tables of an instance together, in elements.
    pub table_elements_max: usize,
    /// How much one call may hand from guest to host, in bytes. The other way it is bounded by the guest's own memory, which
    /// all of it goes to, and by the contract's largest batch.
    pub call_bytes_max: usize,
    /// How much one call may move over the connections of an instance, both ways together, in bytes.
    pub socket_bytes_max: u64,
    /// Handles that an instance may hold: streams, files, timers; of an instance with a network at most 128, since each
    /// connection takes a descriptor of the process besides.
    pub handles_max: usize,
    /// Lines that a plugin may say in a second, over all its instances; ten seconds' worth at once.
    pub log_lines: u32,
    /// Most instances of a plugin that allows several.
    pub instances_max: usize,
    /// Most callers that wait for an instance; one more is told to come back.
    pub waiting_max: usize,
    /// Largest component, in bytes.
    pub component_bytes_max: usize,
    /// How long a swap waits for the calls of the old generation, and callers for a swap.
    pub drain: Duration,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            inline_budget: Duration::from_millis(500),
            memory_bytes_max: 256 << 20,
            table_elements_max: 100_000,
            // A page of a scan (4 MiB) and a value of the largest size (8 MiB) with room for the frame.
            call_bytes_max: 32 << 20,
            // Twice that: what a service answers is larger than what is made of it.
            socket_bytes_max: 64 << 20,
            // A thousandth of wasmtime's own; a plugin of the suite holds five.
            handles_max: 1_024,
            // A person reads one.
            log_lines: 100,
            instances_max: 4,
            // Ten thousand calls a second wait so for a pause of a tenth of a second.
            waiting_max: 1_024,
            // CPython as a component has 18 MB.
            component_bytes_max: 64 << 20,
            drain: Duration::from_secs(30),
        }
    }
}
