//! No two stores on the same data: a key-value store's files would show up as blobs, or be overwritten as such, two
//! databases in one folder would lock each other out, and two stores with the same keys of a server would overwrite
//! what the other one keeps.

use std::path::{Component, Path, PathBuf};

use larder_core::{Error, Result};

use super::{Backend, Plan, StorePlan};
use crate::config::{AccessSection, StoreKind};

struct Claim<'a> {
    who: String,
    folder: PathBuf,
    /// Blobs may share: two blob stores in one folder are two views of the same blobs.
    shares: bool,
    plan: &'a Path,
}

pub(super) fn check(plan: &Plan) -> Result<()> {
    check_servers(plan)?;
    let claims = claims(plan);
    for (i, one) in claims.iter().enumerate() {
        for other in claims.iter().skip(i + 1) {
            if one.shares && other.shares {
                continue;
            }
            if one.folder.starts_with(&other.folder) || other.folder.starts_with(&one.folder) {
                let error = Error::config(format!(
                    "{} and {} would keep their files in the same folder, or one inside of the other: {} and {}",
                    one.who,
                    other.who,
                    one.plan.display(),
                    other.plan.display()
                ));
                return Err(plan.origin.explain(error, ""));
            }
        }
    }
    Ok(())
}

/// Two stores with the same keys in Redis, or the same table.
fn check_servers(plan: &Plan) -> Result<()> {
    let kept = |store: &StorePlan| matches!(store.backend, Backend::Redis(_) | Backend::Sql(_));
    let stores: Vec<_> = plan.stores.iter().filter(|(_, store)| kept(store)).collect();
    for (i, (one, store)) in stores.iter().enumerate() {
        let same = stores.iter().skip(i + 1).find(|(_, other)| store.backend.overlaps(&other.backend));
        let Some((other, _)) = same else { continue };
        let remedy = match store.backend {
            Backend::Redis(_) => "a `prefix`",
            _ => "a `table`",
        };
        let message = format!(
            "the stores `{one}` and `{other}` would be the same data, {}: give one of them {remedy} of its own",
            store.backend
        );
        return Err(plan.origin.explain(Error::config(message), ""));
    }
    Ok(())
}

fn claims(plan: &Plan) -> Vec<Claim<'_>> {
    let mut claims = Vec::new();
    for (name, store) in &plan.stores {
        if let Backend::File(folder) = &store.backend {
            let shares = store.kind == StoreKind::Blob;
            claims.push(Claim {
                who: format!("the store `{name}`"),
                folder: plain(folder),
                shares,
                plan: folder,
            });
        }
    }
    for (name, plugin) in &plan.plugins {
        for folder in plugin.folders.iter().filter(|folder| folder.access == AccessSection::ReadWrite) {
            let who = format!("the plugin `{name}`");
            // A plugin may be granted a folder inside another of its own.
            if claims.iter().any(|claim| claim.who == who) {
                continue;
            }
            claims.push(Claim { who, folder: plain(&folder.host), shares: false, plan: &folder.host });
        }
    }
    claims
}

/// The absolute path without `.` and `..`; as far as that can be told without the disk.
pub(super) fn plain(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}
