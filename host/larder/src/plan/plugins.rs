//! From the section `plugins` to plans: references resolved, limits checked.

use std::collections::BTreeMap;

use larder_core::{Error, Result};
use larder_wasm::{Remedy, ShadowOptions, SwapOptions, TcpGrant};

use super::{
    CallMode, FolderPlan, OnFailure, Plan, PluginPlan, backend::is_reserved, failure, limits, origins,
};
use crate::config::{Config, PluginSection, ShadowSection, SwapSection, Text};

pub(super) fn plan(config: &Config) -> Result<BTreeMap<String, PluginPlan>> {
    config
        .plugins
        .iter()
        .map(|(name, section)| Ok((name.clone(), Reading { config, name }.plugin(section)?)))
        .collect()
}

/// Says what a person should know of the plugins.
pub(super) fn warn(plan: &mut Plan) {
    for (name, plugin) in &plan.plugins {
        let used = plan.stores.values().any(|store| failure::plugins(store).any(|of_store| of_store == name));
        if !used {
            plan.warnings.push(format!("no store uses the plugin `{name}`; it is not loaded"));
        } else if plugin.sha256.is_none() {
            plan.warnings.push(format!(
                "the plugin `{name}` is not pinned: set `plugins.{name}.sha256` (`larder plugin inspect` prints it)"
            ));
        }
    }
}

fn swap(section: &SwapSection) -> SwapOptions {
    let mut options = SwapOptions::default();
    options.canary = section.canary.unwrap_or(options.canary);
    options.probation = match section.probation {
        None => options.probation,
        Some(none) if none.is_zero() => None,
        some => some,
    };
    let ShadowSection { one_in, reads, time } = section.shadow;
    let usual = ShadowOptions::default();
    let reads = reads.unwrap_or(usual.reads_max);
    options.shadow = (reads > 0)
        .then(|| ShadowOptions::new(one_in.unwrap_or(usual.one_in), reads, time.unwrap_or(usual.time_max)));
    options
}

/// Tells the plugins of stores that take the last good component to keep it.
pub(super) fn keep_last_good(plan: &mut Plan) {
    let stores = plan.stores.values().filter(|store| store.on_failure == OnFailure::LastGood);
    for name in stores.flat_map(failure::plugins) {
        if let Some(plugin) = plan.plugins.get_mut(name) {
            plugin.supervision.remedy = Remedy::LastGood;
        }
    }
}

/// The section of one plugin, being read.
pub(super) struct Reading<'a> {
    config: &'a Config,
    name: &'a str,
}

impl Reading<'_> {
    fn plugin(&self, section: &PluginSection) -> Result<PluginPlan> {
        if is_reserved(self.name) {
            let error = Error::config(format!("a plugin can't be called `{}`: a backend is", self.name));
            return Err(self.config.origin.explain(error, &format!("plugins.{}", self.name)));
        }
        let path = self.resolve(&section.path, "path")?;
        let (settings, settings_shown) = self.settings(section)?;
        let refuse = |key: &str, message: String| self.refuse(key, message);
        let (limits, mut limits_shown) = limits::limits(&section.limits, &refuse)?;
        let (supervision, shown) = limits::supervision(&section.supervision, &refuse)?;
        limits_shown.extend(shown);
        if section.swap.watch && section.sha256.is_some() {
            let message =
                "a pinned plugin is swapped by hand, with the new digest; leave out `sha256` or this"
                    .to_owned();
            return Err(self.refuse("swap.watch", message));
        }
        Ok(PluginPlan {
            path: self.config.origin.resolve(&path),
            sha256: self.digest(section.sha256.as_deref())?,
            settings,
            settings_shown,
            folders: self.folders(section)?,
            env: self.env(section)?,
            tcp: self.tcp(section)?,
            http: origins::read(self, &section.grants.http)?,
            limits,
            supervision,
            limits_shown,
            mode: self.mode(section.mode.as_deref())?,
            swap: swap(&section.swap),
            watch: section.swap.watch,
        })
    }

    #[expect(clippy::type_complexity, reason = "the real values and the shown ones, side by side")]
    fn settings(&self, section: &PluginSection) -> Result<(Vec<(String, String)>, Vec<(String, String)>)> {
        let (mut settings, mut shown) = (Vec::new(), Vec::new());
        for (key, value) in &section.settings {
            settings.push((key.clone(), self.resolve(value, &format!("settings.{key}"))?));
            shown.push((key.clone(), Text(value).to_string()));
        }
        for (key, reference) in &section.grants.secrets {
            let at = format!("grants.secrets.{key}");
            if section.settings.contains_key(key) {
                return Err(self.refuse(&at, format!("`{key}` is in `settings` too; one of them")));
            }
            if !Text(reference).is_reference() {
                let message =
                    "expected a reference, `${VAR}` or `file:PATH`: a secret is not written here".to_owned();
                return Err(self.refuse(&at, message));
            }
            settings.push((key.clone(), self.resolve(reference, &at)?));
            shown.push((key.clone(), format!("{}, secret", Text(reference))));
        }
        Ok((settings, shown))
    }

    fn folders(&self, section: &PluginSection) -> Result<Vec<FolderPlan>> {
        let folders = section.grants.folders.iter().enumerate();
        folders
            .map(|(i, folder)| {
                if !folder.guest.starts_with('/') {
                    let message = format!(
                        "expected a name that begins with `/`, such as /data, found `{}`",
                        folder.guest
                    );
                    return Err(self.refuse(&format!("grants.folders[{i}].as"), message));
                }
                let host = self.resolve(&folder.path, &format!("grants.folders[{i}].path"))?;
                Ok(FolderPlan {
                    host: self.config.origin.resolve(&host),
                    guest: folder.guest.clone(),
                    access: folder.access,
                })
            })
            .collect()
    }

    fn env(&self, section: &PluginSection) -> Result<Vec<(String, String)>> {
        let names = section.grants.env.iter().enumerate();
        names
            .map(|(i, name)| {
                let value = self.config.environment.required(name);
                let value = value.map_err(|error| self.explain(error, &format!("grants.env[{i}]")))?;
                Ok((name.clone(), value.to_owned()))
            })
            .collect()
    }

    fn tcp(&self, section: &PluginSection) -> Result<Vec<TcpGrant>> {
        let grants = section.grants.tcp.iter().enumerate();
        grants
            .map(|(i, text)| {
                // Without references: whoever reads the configuration sees where the plugin can go.
                text.parse().map_err(|error: Error| self.explain(error, &format!("grants.tcp[{i}]")))
            })
            .collect()
    }

    fn digest(&self, digest: Option<&str>) -> Result<Option<String>> {
        let Some(digest) = digest else { return Ok(None) };
        if digest.len() != 64 || !digest.bytes().all(|b| b.is_ascii_hexdigit()) {
            let message = "expected 64 hexadecimal digits (`larder plugin inspect` prints them)".to_owned();
            return Err(self.refuse("sha256", message));
        }
        Ok(Some(digest.to_ascii_lowercase()))
    }

    fn mode(&self, mode: Option<&str>) -> Result<CallMode> {
        match mode {
            None | Some("auto") => Ok(CallMode::Auto),
            Some("inline") => Ok(CallMode::Inline),
            Some("fiber") => Ok(CallMode::Fiber),
            Some(other) => {
                Err(self.refuse("mode", format!("expected `auto` or `inline` or `fiber`, found `{other}`")))
            }
        }
    }

    pub(super) fn resolve(&self, text: &str, key: &str) -> Result<String> {
        let config = self.config;
        Text(text).resolve(&config.environment, &config.origin).map_err(|error| self.explain(error, key))
    }

    pub(super) fn refuse(&self, key: &str, message: String) -> Error {
        self.explain(Error::config(message), key)
    }

    /// The file that a text names, beside the configuration.
    pub(super) fn file(&self, text: &str, key: &str) -> Result<std::path::PathBuf> {
        self.resolve(text, key).map(|path| self.config.origin.resolve(&path))
    }

    pub(super) fn explain(&self, error: Error, key: &str) -> Error {
        self.config.origin.explain(error, &format!("plugins.{}.{key}", self.name))
    }
}
