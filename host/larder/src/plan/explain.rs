//! How a plan prints itself: `larder config explain`.

use std::fmt;

use super::{CallMode, OnFailure, Plan, PluginPlan, StorePlan};
use crate::config::{AccessSection, StoreKind, show_duration, show_size};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin.file {
            Some(file) => writeln!(f, "configuration {}", file.display())?,
            None => writeln!(f, "configuration without a file")?,
        }
        for (key, variable) in &self.origin.overridden {
            writeln!(f, "  {key} overridden by {variable}")?;
        }
        for (name, store) in &self.stores {
            let default = [&self.default_kv, &self.default_blobs].into_iter().flatten().any(|d| d == name);
            let default = if default { ", default" } else { "" };
            writeln!(f, "\nstore {name} ({}{default}), from {}", store.kind, store.from)?;
            explain_store(f, store)?;
        }
        if !self.plugins.is_empty() {
            match &self.compiled {
                Some(folder) => writeln!(f, "\ncompiled plugins are kept in {}", folder.display())?,
                None => writeln!(f, "\ncompiled plugins are not kept")?,
            }
        }
        for (name, plugin) in &self.plugins {
            writeln!(f, "\nplugin {name}, from {}", self.origin.of(&format!("plugins.{name}")))?;
            explain_plugin(f, plugin)?;
        }
        if let Some(address) = &self.control {
            writeln!(f, "\ncontrol, from {}", self.origin.of("control"))?;
            writeln!(f, "  listens        at {address}, for who may use it")?;
        }
        if !self.warnings.is_empty() {
            writeln!(f, "\nwarnings")?;
        }
        self.warnings.iter().try_for_each(|warning| writeln!(f, "  {warning}"))
    }
}

/// The stack, from the outside in, as `assemble` builds it.
fn explain_store(f: &mut fmt::Formatter<'_>, store: &StorePlan) -> fmt::Result {
    if store.kind == StoreKind::Kv {
        writeln!(f, "  metrics        calls, errors, hits and misses of each operation")?;
        writeln!(f, "  errors         say store, operation and key")?;
        match store.value_bytes_max {
            Some(max) => writeln!(
                f,
                "  checks         capabilities and limits; values up to {}",
                show_size(max as u64)
            )?,
            None => writeln!(f, "  checks         capabilities and limits, as the backend declares them")?,
        }
    }
    if store.on_failure != OnFailure::Fail {
        writeln!(f, "  on failure     {}", store.on_failure)?;
    }
    for layer in &store.layers {
        writeln!(f, "  layer          plugin {layer}")?;
    }
    if let Some(retries) = store.guards.retries {
        writeln!(
            f,
            "  retry          up to {retries} more times, only if unavailable and nothing was written"
        )?;
    }
    if let Some(timeout) = store.guards.timeout {
        writeln!(f, "  timeout        {} for each attempt", show_duration(timeout))?;
    }
    if let Some(concurrency) = store.guards.concurrency {
        writeln!(f, "  concurrency    {concurrency} at once")?;
    }
    writeln!(f, "  backend        {}", store.backend)?;
    if let Some(required) = store.requires.shown() {
        writeln!(f, "                 must have: {required}")?;
    }
    if store.kind == StoreKind::Kv && store.backend.sweeps() {
        writeln!(
            f,
            "                 expired entries are swept every {}",
            show_duration(store.cleanup_interval)
        )?;
    }
    Ok(())
}

fn explain_plugin(f: &mut fmt::Formatter<'_>, plugin: &PluginPlan) -> fmt::Result {
    writeln!(f, "  component      {}", plugin.path.display())?;
    writeln!(f, "  sha256         {}", plugin.sha256.as_deref().unwrap_or("not pinned"))?;
    for (name, shown) in &plugin.settings_shown {
        writeln!(f, "  setting        {name} = {shown}")?;
    }
    for folder in &plugin.folders {
        let access = match folder.access {
            AccessSection::Read => "read",
            AccessSection::ReadWrite => "read-write",
        };
        writeln!(f, "  grant          folder {} as {} ({access})", folder.host.display(), folder.guest)?;
    }
    for (name, _) in &plugin.env {
        writeln!(f, "  grant          environment variable {name}")?;
    }
    for grant in &plugin.tcp {
        writeln!(f, "  grant          tcp to {grant}")?;
    }
    for grant in &plugin.http {
        write!(f, "  grant          http to {grant}")?;
        let headers: Vec<_> = grant.header_names().collect();
        if !headers.is_empty() {
            write!(f, ", with {} added (secret)", headers.join(", "))?;
        }
        writeln!(f)?;
    }
    let reaches_nothing = plugin.tcp.is_empty() && plugin.http.is_empty();
    if plugin.folders.is_empty() && plugin.env.is_empty() && reaches_nothing {
        writeln!(f, "  grant          nothing")?;
    }
    for limit in &plugin.limits_shown {
        writeln!(f, "  limit          {limit}")?;
    }
    explain_swap(f, plugin)?;
    writeln!(
        f,
        "  called         {}",
        match plugin.mode {
            CallMode::Auto => "inline or on a fiber, as its imports ask for",
            CallMode::Inline => "inline",
            CallMode::Fiber => "on a fiber",
        }
    )
}

fn explain_swap(f: &mut fmt::Formatter<'_>, plugin: &PluginPlan) -> fmt::Result {
    if !plugin.swap.canary {
        writeln!(f, "  swap           without a self-test")?;
    }
    match plugin.swap.probation {
        Some(time) => writeln!(f, "  swap           can be returned from for {}", show_duration(time))?,
        None => writeln!(f, "  swap           can't be returned from")?,
    }
    if plugin.watch {
        writeln!(f, "  swap           when the file changes")?;
    }
    Ok(())
}
