//! Where compiled plugins are kept.

use std::path::{Path, PathBuf};

use larder_core::Result;

use crate::config::{Config, Environment, Text};

/// The key of the configuration.
const KEY: &str = "plugin_cache";
/// The variable that is the key's override.
const VARIABLE: &str = "LARDER_PLUGIN_CACHE";
/// What keeps none.
const OFF: &str = "off";

pub(super) fn plan(config: &Config) -> Result<Option<PathBuf>> {
    match config.plugin_cache.as_deref() {
        None => Ok(of_user(&config.environment)),
        Some(OFF) => Ok(None),
        Some(text) => {
            let folder = Text(text).resolve(&config.environment, &config.origin);
            let folder = folder.map_err(|error| config.origin.explain(error, KEY))?;
            Ok(Some(config.origin.resolve(&folder)))
        }
    }
}

/// The folder where compiled plugins are kept where no configuration says it: `LARDER_PLUGIN_CACHE`, which may be `off`;
/// else `larder/compiled` in `XDG_CACHE_HOME`, else in `~/.cache`. None where the environment says nothing of all that.
pub fn compiled_folder(environment: &Environment) -> Option<PathBuf> {
    match environment.get(VARIABLE) {
        Some(said) if said == OFF => None,
        Some(said) => Some(PathBuf::from(said)),
        None => of_user(environment),
    }
}

fn of_user(environment: &Environment) -> Option<PathBuf> {
    // The specification of XDG: a path that is not absolute is not regarded.
    let absolute = |name| environment.get(name).map(Path::new).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").map(Path::to_owned);
    let caches = caches.or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    caches.map(|caches| caches.join("larder").join("compiled"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().copied().collect()
    }

    fn planned(yaml: &str, variables: &[(&str, &str)]) -> Option<PathBuf> {
        Config::from_yaml_in(yaml, environment(variables))
            .unwrap()
            .relative_to("/etc")
            .plan()
            .unwrap()
            .compiled
    }

    #[test]
    fn the_users_own_folder_is_taken_where_none_is_said() {
        let both = [("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
        for folder in [planned("", &both), compiled_folder(&environment(&both))] {
            assert_eq!(folder.unwrap(), Path::new("/x/larder/compiled"));
        }
        let relative = [("XDG_CACHE_HOME", "x"), ("HOME", "/h")];
        assert_eq!(planned("", &relative).unwrap(), Path::new("/h/.cache/larder/compiled"));
        assert_eq!(planned("", &[]), None);
    }

    #[test]
    fn a_folder_that_is_said_is_taken_and_off_is_none() {
        let home = [("HOME", "/h"), ("D", "/d")];
        assert_eq!(planned("plugin_cache: here", &home).unwrap(), Path::new("/etc/here"));
        assert_eq!(planned("plugin_cache: '${D}/c'", &home).unwrap(), Path::new("/d/c"));
        for off in ["plugin_cache: off", "plugin_cache: 'off'", "plugin_cache: false"] {
            assert_eq!(planned(off, &home), None, "{off}");
        }
        let error = Config::from_yaml("plugin_cache: true").unwrap_err();
        assert_eq!(error.context("key"), Some("plugin_cache"));
        let off = [("HOME", "/h"), ("LARDER_PLUGIN_CACHE", "off")];
        assert_eq!(planned("plugin_cache: here", &off), None);
        assert_eq!(compiled_folder(&environment(&off)), None);
    }
}
