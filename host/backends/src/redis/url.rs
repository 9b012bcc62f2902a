//! URLs of stores. They have several hosts where there are several, which general URL parsers refuse; and they carry
//! passwords, which no error may repeat.

use std::{path::PathBuf, time::Duration};

use larder_core::{Error, Result};

use super::options::{Address, Durability, PORT, RedisOptions, SENTINEL_PORT, Topology};

/// What may stand after the question mark.
const PARAMETERS: [&str; 12] = [
    "prefix",
    "db",
    "connect_timeout",
    "response_timeout",
    "cleanup_interval",
    "value_bytes_max",
    "durability",
    "tls_ca",
    "tls_certificate",
    "tls_key",
    "sentinel_user",
    "sentinel_password",
];

const EXPECTED: &str = "expected redis://[user:password@]host[:port][/db], \
    redis-sentinel://[user:password@]host[:port],…/master[/db] or redis+cluster://[user:password@]host[:port],…, \
    or one of them with rediss for TLS";

#[derive(Clone, Copy)]
enum Kind {
    Standalone,
    Sentinel,
    Cluster,
}

pub(super) fn parse(url: &str) -> Result<RedisOptions> {
    let (scheme, rest) =
        url.split_once("://").ok_or_else(|| Error::config(format!("no URL of Redis; {EXPECTED}")))?;
    let (kind, tls) = match scheme {
        "redis" => (Kind::Standalone, false),
        "rediss" => (Kind::Standalone, true),
        "redis-sentinel" => (Kind::Sentinel, false),
        "rediss-sentinel" => (Kind::Sentinel, true),
        "redis+cluster" => (Kind::Cluster, false),
        "rediss+cluster" => (Kind::Cluster, true),
        _ => return Err(Error::config(format!("{scheme:?} is no scheme of Redis; {EXPECTED}"))),
    };
    let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if after.contains('@') {
        // Everything up to it may be a password, so nothing of it is repeated.
        return Err(Error::config(
            "an `@` behind the hosts; expected `/`, `?`, `#`, `@` and `%` in user, password and options to be written as \
             %2F, %3F, %23, %40 and %25",
        ));
    }
    let after = after.split('#').next().unwrap_or_default();
    let (path, query) = after.split_once('?').unwrap_or((after, ""));
    let path = path.strip_prefix('/').unwrap_or(path);
    let (user_info, hosts) = match authority.rsplit_once('@') {
        Some((user_info, hosts)) => (Some(user_info), hosts),
        None => (None, authority),
    };
    let (topology, db) = topology(kind, hosts, path)?;
    let mut options = RedisOptions::standalone("", 0, db.unwrap_or(0));
    options.topology = topology;
    if tls {
        options = options.tls();
    }
    if let Some(user_info) = user_info {
        let (user, password) = match user_info.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user_info, None),
        };
        if !user.is_empty() {
            options = options.user(decode(user, "user")?);
        }
        if let Some(password) = password {
            options = options.password(decode(password, "password")?);
        }
    }
    parameters(options, query)
}

fn topology(kind: Kind, hosts: &str, path: &str) -> Result<(Topology, Option<u32>)> {
    let port = if matches!(kind, Kind::Sentinel) { SENTINEL_PORT } else { PORT };
    let addresses = hosts.split(',').map(|host| address(host, port)).collect::<Result<Vec<_>>>()?;
    let path = path.trim_end_matches('/');
    match kind {
        Kind::Standalone => match <[Address; 1]>::try_from(addresses) {
            Ok([address]) => Ok((Topology::Standalone(address), number_of_db(path)?)),
            Err(_) => Err(Error::config(
                "several hosts; expected one, or the scheme redis-sentinel or redis+cluster",
            )),
        },
        Kind::Sentinel => {
            let (master, db) = path.split_once('/').unwrap_or((path, ""));
            if master.is_empty() {
                return Err(Error::config(format!("no name of a master after the Sentinels; {EXPECTED}")));
            }
            let master = decode(master, "master")?;
            Ok((Topology::Sentinel { sentinels: addresses, master }, number_of_db(db)?))
        }
        Kind::Cluster => Ok((Topology::Cluster(addresses), number_of_db(path)?)),
    }
}

fn number_of_db(text: &str) -> Result<Option<u32>> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().map_err(|_| {
        Error::config(format!(
            "{text:?} is no number of a database; expected one such as /0 (keys get a prefix by ?prefix=)"
        ))
    })?;
    Ok(Some(number))
}

fn address(text: &str, port: u16) -> Result<Address> {
    // Where somebody forgot the `@`, the text is a password.
    let wrong = || Error::config(format!("a host is none; {EXPECTED}"));
    let (host, port_text) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
        match rest {
            "" => (host, None),
            rest => (host, Some(rest.strip_prefix(':').ok_or_else(wrong)?)),
        }
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    if host.is_empty() {
        return Err(wrong());
    }
    let port = match port_text {
        None => port,
        Some(text) => text.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?,
    };
    Ok(Address { host: host.to_owned(), port })
}

fn parameters(mut options: RedisOptions, query: &str) -> Result<RedisOptions> {
    let (mut certificate, mut key) = (None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode(text, name)?;
        options = match name {
            "prefix" => options.key_prefix(value),
            "db" => match number_of_db(&value)? {
                Some(db) => options.db(db),
                None => return Err(Error::config("no number after `db`; expected one such as db=0")),
            },
            "connect_timeout" => options.connect_timeout(duration(name, &value)?),
            "response_timeout" => options.response_timeout(duration(name, &value)?),
            "cleanup_interval" => options.cleanup_interval(duration(name, &value)?),
            "value_bytes_max" => {
                let bytes = value.parse().map_err(|_| {
                    Error::config(format!(
                        "{value:?} is no `value_bytes_max`; expected a number of bytes such as 8388608"
                    ))
                })?;
                options.value_bytes_max(bytes)
            }
            "durability" => options.durability(Durability::parse(&value)?),
            "tls_ca" | "tls_certificate" | "tls_key" if options.tls.is_none() => {
                return Err(Error::config(format!("`{name}` without TLS; expected a scheme with rediss")));
            }
            "tls_ca" => options.tls_ca_file(value),
            "tls_certificate" => {
                certificate = Some(PathBuf::from(value));
                options
            }
            "tls_key" => {
                key = Some(PathBuf::from(value));
                options
            }
            "sentinel_user" => options.sentinel_user(value),
            "sentinel_password" => options.sentinel_password(value),
            _ => return Err(unknown(name)),
        };
    }
    match (certificate, key) {
        (None, None) => Ok(options),
        (Some(certificate), Some(key)) => Ok(options.tls_client_files(certificate, key)),
        _ => Err(Error::config("one of `tls_certificate` and `tls_key`; expected both")),
    }
}

fn unknown(name: &str) -> Error {
    // A name without `=` may be a part of a password with an unescaped `?`: only what looks like a name is repeated.
    let known = PARAMETERS.join(", ");
    let looks_like_a_name =
        name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'-');
    if !looks_like_a_name {
        return Error::config(format!("an unknown parameter in a URL of Redis; there are {known}"));
    }
    let nearest = PARAMETERS.iter().map(|known| (strsim::osa_distance(name, known), *known)).min();
    match nearest {
        Some((distance, nearest)) if distance <= nearest.len() / 2 => Error::config(format!(
            "no parameter is called `{name}`; did you mean `{nearest}`? (there are {known})"
        )),
        _ => Error::config(format!("no parameter is called `{name}`; there are {known}")),
    }
}

fn duration(name: &str, text: &str) -> Result<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_millis = match unit {
        "" | "s" => Some(1_000),
        "ms" => Some(1),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let millis = number.parse::<u64>().ok().zip(unit_millis).and_then(|(n, unit)| n.checked_mul(unit));
    millis.map(Duration::from_millis).ok_or_else(|| {
        Error::config(format!("{text:?} is no `{name}`; expected a duration such as 500ms, 5s or 1m"))
    })
}

/// Decodes `%XX`. The text may be a secret: it is in no error.
fn decode(text: &str, what: &str) -> Result<String> {
    let wrong = || {
        Error::config(format!("`{what}` in the URL has a % that is not followed by two hexadecimal digits"))
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (high, low) = (digit(rest.next()), digit(rest.next()));
        let byte =
            high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok()).ok_or_else(wrong)?;
        bytes.push(byte);
    }
    String::from_utf8(bytes).map_err(|_| Error::config(format!("`{what}` in the URL is no UTF-8")))
}
