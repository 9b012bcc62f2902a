//! What the server promises about acknowledged writes. Redis acknowledges before anything is on a disk, unless it is
//! configured not to, and may be configured to throw entries away. That is the operator's choice, but it has to be
//! said: a warning at each opening, and a refusal where more was asked for.

use larder_core::{Error, ErrorKind, Result};
use redis::{Value, cmd};

use super::{error::Intent, link::Link, options::Durability};

/// What was found out; nothing where the ACL user may not ask.
#[derive(Debug, Default, PartialEq, Eq)]
struct Promise {
    /// The policy by which entries are thrown away when memory is short, where some are.
    eviction: Option<String>,
    /// Whether there is a log of writes.
    log: Option<bool>,
    /// When that log is synced.
    sync: Option<String>,
}

impl Promise {
    /// What writes that were acknowledged survive, and what they don't.
    fn durability(&self) -> Durability {
        match (&self.eviction, self.log, self.sync.as_deref()) {
            (None, Some(true), Some("always")) => Durability::Always,
            (None, Some(true), Some("everysec")) => Durability::EverySecond,
            _ => Durability::Any,
        }
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(policy) = &self.eviction {
            warnings.push(format!(
                "Redis throws entries away when memory is short (maxmemory-policy {policy}); state wants noeviction"
            ));
        }
        match (self.log, self.sync.as_deref()) {
            (None, _) => warnings.push("Redis does not tell this user whether writes survive a crash (INFO)".to_owned()),
            (Some(false), _) => warnings.push(
                "Redis keeps no log of writes: a crash loses what was acknowledged since the last snapshot (appendonly no)"
                    .to_owned(),
            ),
            (Some(true), Some("always")) => {}
            (Some(true), Some("everysec")) => warnings.push(
                "Redis syncs its log each second: a power cut loses up to the last one (appendfsync everysec)".to_owned(),
            ),
            (Some(true), Some(other)) => warnings
                .push(format!("Redis leaves syncing to the operating system: a power cut loses writes (appendfsync {other})")),
            (Some(true), None) => warnings.push("Redis does not tell this user when it syncs its log (CONFIG)".to_owned()),
        }
        warnings
    }
}

/// Logs what the server promises.
///
/// # Errors
/// `config` where that is less than `wanted`, or can't be seen; `unavailable` where the server can't be asked.
pub(super) async fn check(link: &Link, wanted: Durability, store: &str) -> Result<()> {
    let promise = ask(link).await?;
    let found = promise.durability();
    if found < wanted {
        let warnings = promise.warnings().join("; ");
        return Err(Error::config(format!(
            "Redis promises less than the durability `{}` that is configured: {warnings}",
            wanted.as_str()
        )));
    }
    for warning in promise.warnings() {
        tracing::warn!(store, "{warning}");
    }
    Ok(())
}

async fn ask(link: &Link) -> Result<Promise> {
    let memory = info(link, "memory").await?;
    let persistence = info(link, "persistence").await?;
    let field = |text: &Option<String>, name: &str| {
        let text = text.as_ref()?;
        text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
    };
    let is_limited = field(&memory, "maxmemory").is_some_and(|bytes| bytes != "0");
    let policy = field(&memory, "maxmemory_policy").filter(|policy| is_limited && policy != "noeviction");
    let log = field(&persistence, "aof_enabled").map(|enabled| enabled == "1");
    let sync = if log == Some(true) { setting(link, "appendfsync").await? } else { None };
    Ok(Promise { eviction: policy, log, sync })
}

/// A section of `INFO`; nothing where the user may not ask.
async fn info(link: &Link, section: &str) -> Result<Option<String>> {
    Ok(match allowed(link.call(cmd("INFO").arg(section)).await)? {
        Some(Value::BulkString(text)) => Some(String::from_utf8_lossy(&text).into_owned()),
        Some(Value::VerbatimString { text, .. }) => Some(text),
        _ => None,
    })
}

/// A setting; nothing where the user may not ask, or the service has no such command.
async fn setting(link: &Link, name: &str) -> Result<Option<String>> {
    let last = |parts: Vec<Value>| match parts.into_iter().nth(1) {
        Some(Value::BulkString(value)) => String::from_utf8(value).ok(),
        _ => None,
    };
    Ok(match allowed(link.call(cmd("CONFIG").arg("GET").arg(name)).await)? {
        Some(Value::Array(parts)) => last(parts),
        Some(Value::Map(pairs)) => pairs.into_iter().next().and_then(|(name, value)| last(vec![name, value])),
        _ => None,
    })
}

/// An answer; nothing where the server refuses to give it.
fn allowed(answer: Result<Value, super::error::Fault>) -> Result<Option<Value>> {
    use super::error::Fault;
    match answer {
        Ok(answer) => Ok(Some(answer)),
        // No permission, or no such command at a managed service.
        Err(fault @ Fault::Refused(_)) => match fault.into_error(Intent::Read) {
            error if error.kind() == ErrorKind::Denied || error.context("code") == Some("ERR") => Ok(None),
            error => Err(error),
        },
        Err(fault) => Err(fault.into_error(Intent::Read)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise(eviction: Option<&str>, log: Option<bool>, sync: Option<&str>) -> Promise {
        Promise { eviction: eviction.map(str::to_owned), log, sync: sync.map(str::to_owned) }
    }

    #[test]
    fn only_a_log_that_is_always_synced_and_no_eviction_keep_everything_that_was_acknowledged() {
        assert_eq!(promise(None, Some(true), Some("always")).durability(), Durability::Always);
        assert!(promise(None, Some(true), Some("always")).warnings().is_empty());
        assert_eq!(promise(None, Some(true), Some("everysec")).durability(), Durability::EverySecond);
        for weak in [
            promise(None, Some(false), None),
            promise(None, None, None),
            promise(None, Some(true), None),
            promise(None, Some(true), Some("no")),
            promise(Some("allkeys-lru"), Some(true), Some("always")),
        ] {
            assert_eq!(weak.durability(), Durability::Any);
            assert!(!weak.warnings().is_empty());
        }
    }
}
