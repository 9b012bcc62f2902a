//! The settings of a component without `lifecycle`: one that is larder's, and the rest for `wasi:config`.

use crate::{bindings::WitError, lift::Calls};

/// What is opened where nothing is named.
const DEFAULT: &str = "default";

/// Takes out the setting `own`, which names what larder opens in the component, and lays the others ready for it.
///
/// # Errors
/// `invalid` where the component could not read a setting: nobody would.
pub(super) fn take(
    calls: &mut Calls<'_>,
    settings: &[(String, String)],
    own: &str,
    reads_settings: bool,
) -> Result<String, WitError> {
    let opened = settings.iter().find(|(name, _)| name == own).map_or(DEFAULT, |(_, value)| value);
    let rest: Vec<_> = settings.iter().filter(|(name, _)| name != own).cloned().collect();
    if let (Some((name, _)), false) = (rest.first(), reads_settings) {
        return Err(WitError::Invalid(format!(
            "the component imports no `wasi:config` that could tell it the setting `{name}`; larder itself knows `{own}`, and \
             a grant of environment variables may serve instead"
        )));
    }
    calls.store.data_mut().settings = rest;
    Ok(opened.to_owned())
}
