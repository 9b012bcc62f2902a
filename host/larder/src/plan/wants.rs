//! What a component says it wants, against what a configuration grants it.

use std::str::FromStr;

use larder_core::Result;
use larder_wasm::{HttpGrant, TcpGrant, Want, WantKind};

use super::{Plan, PluginPlan};
use crate::config::{AccessSection, nearest};

/// What a plugin wants and is granted, side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comparison {
    /// Each want, and whether it is granted.
    pub wants: Vec<(Want, bool)>,
    /// Grants that no want asks for, as the configuration has them.
    pub unasked: Vec<String>,
}

impl Plan {
    /// Sets what a component wants against the grants of a plugin of this plan.
    ///
    /// # Errors
    /// `config` where the plan has no plugin of that name.
    pub fn compare_wants(&self, plugin: &str, wants: &[Want]) -> Result<Comparison> {
        let plan = self.plugins.get(plugin).ok_or_else(|| {
            let near = nearest(plugin, self.plugins.keys().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            larder_core::Error::config(format!("there is no plugin `{plugin}`{hint}"))
        })?;
        let wanted_tcp: Vec<TcpGrant> =
            wants.iter().filter_map(|want| place(plan, want, WantKind::Tcp)).collect();
        let wanted_http: Vec<HttpGrant> =
            wants.iter().filter_map(|want| place(plan, want, WantKind::Http)).collect();
        let has = |kinds: &[WantKind], what: &str| {
            wants.iter().any(|want| kinds.contains(&want.kind) && want.what == what)
        };
        let folder_kinds = [WantKind::FolderRead, WantKind::FolderReadWrite];
        let tcp_unasked =
            plan.tcp.iter().filter(|grant| !wanted_tcp.iter().any(|wanted| grant.covers(wanted)));
        let http_unasked =
            plan.http.iter().filter(|grant| !wanted_http.iter().any(|wanted| grant.covers(wanted)));
        let unasked = tcp_unasked
            .map(|grant| format!("tcp {grant}"))
            .chain(http_unasked.map(|grant| format!("http {grant}")))
            .chain(
                plan.folders
                    .iter()
                    .filter(|f| !has(&folder_kinds, &f.guest))
                    .map(|f| format!("folder {}", f.guest)),
            )
            .chain(
                plan.env
                    .iter()
                    .filter(|(name, _)| !has(&[WantKind::Env], name))
                    .map(|(name, _)| format!("env {name}")),
            )
            .collect();
        let wants = wants.iter().map(|want| (want.clone(), is_granted(plan, want))).collect();
        Ok(Comparison { wants, unasked })
    }
}

/// The host and port, or the origin, that a want of a kind means, where a setting says it, too.
fn place<T: FromStr>(plan: &PluginPlan, want: &Want, kind: WantKind) -> Option<T> {
    if want.kind != kind {
        return None;
    }
    let text = match want.what.strip_prefix("setting:") {
        None => &want.what,
        Some(setting) => &plan.settings.iter().find(|(name, _)| name == setting)?.1,
    };
    text.parse().ok()
}

fn is_granted(plan: &PluginPlan, want: &Want) -> bool {
    let folder = |access: &[AccessSection]| {
        plan.folders.iter().any(|folder| folder.guest == want.what && access.contains(&folder.access))
    };
    match want.kind {
        WantKind::Tcp => {
            let wanted = place::<TcpGrant>(plan, want, WantKind::Tcp);
            wanted.is_some_and(|wanted| plan.tcp.iter().any(|grant| grant.covers(&wanted)))
        }
        WantKind::Http => {
            let wanted = place::<HttpGrant>(plan, want, WantKind::Http);
            wanted.is_some_and(|wanted| plan.http.iter().any(|grant| grant.covers(&wanted)))
        }
        WantKind::FolderRead => folder(&[AccessSection::Read, AccessSection::ReadWrite]),
        WantKind::FolderReadWrite => folder(&[AccessSection::ReadWrite]),
        WantKind::Env => plan.env.iter().any(|(name, _)| *name == want.what),
        WantKind::Secret => plan.settings.iter().any(|(name, _)| *name == want.what),
        _ => false,
    }
}
