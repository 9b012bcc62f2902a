//! `wasi:config`, through which a component without `lifecycle` reads its settings.

use wasmtime::{
    StoreContextMut,
    component::{ComponentType, Lift, Linker, Lower},
};

use crate::state::State;

/// The interface by the names under which it is imported; its functions are the same.
pub(super) const NAMES: [&str; 3] =
    ["wasi:config/store@0.2.0-rc.1", "wasi:config/store@0.2.0-draft", "wasi:config/runtime@0.2.0-draft"];

/// Why a setting could not be read. Here that does not happen.
#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
enum ConfigError {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    Io(String),
}

type Answer<T> = (Result<T, ConfigError>,);

/// Links it to the settings of the instance. What a component of larder's own worlds is given through `configure`, it does not
/// find here: its imports are refused before.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    for name in NAMES {
        let mut config = linker.instance(name)?;
        config.func_wrap(
            "get",
            |store: StoreContextMut<'_, State>,
             (key,): (String,)|
             -> wasmtime::Result<Answer<Option<String>>> {
                let settings = &store.data().settings;
                let found = settings.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone());
                Ok((Ok(found),))
            },
        )?;
        config.func_wrap(
            "get-all",
            |store: StoreContextMut<'_, State>, (): ()| -> wasmtime::Result<Answer<Vec<(String, String)>>> {
                Ok((Ok(store.data().settings.to_vec()),))
            },
        )?;
    }
    Ok(())
}
