//! A URL as it may be shown: without the password in it, and without what its options say that may be a secret.
//!
//! It works on any text, since what is wrong with a URL must be told without showing it. When in doubt it hides.

/// Options of URLs that hold no secret, whoever reads them. The values of all others are hidden.
const PLAIN: [&str; 24] = [
    "anonymous",
    "bucket",
    "channel_binding",
    "cleanup_interval",
    "connect_timeout",
    "db",
    "endpoint",
    "mode",
    "path_style",
    "pool",
    "prefix",
    "protocol",
    "region",
    "root",
    "scheme",
    "service",
    "sslmode",
    "sslrootcert",
    "table",
    "timeout",
    "tls",
    "value_bytes_max",
    "connections_max",
    "virtual_host_style",
];

/// What stands for a secret.
const HIDDEN: &str = "***";

/// The URL without secrets; text that is no URL as it is, since a backend's name is none.
pub(crate) fn redact(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (rest, fragment) = split(rest, '#');
    let (rest, query) = split(rest, '?');
    // The last `@`: a password may hold any of the characters that end a host, badly written ones too.
    let place = match rest.rsplit_once('@') {
        None => rest.to_owned(),
        Some((user, place)) => match user.split_once(':') {
            // A path may hold an `@`; then there is no password before it.
            None => format!("{user}@{place}"),
            Some((name, _)) if name.contains('/') => format!("{HIDDEN}@{place}"),
            Some((name, _)) => format!("{name}:{HIDDEN}@{place}"),
        },
    };
    // A mark in a password cuts the URL in the wrong place: what follows may then be the rest of the password.
    let is_cut = |part: Option<&str>| part.is_some_and(|part| part.contains('@'));
    if is_cut(query) || is_cut(fragment) {
        return format!("{scheme}://{HIDDEN}");
    }
    let query = query.map(|query| format!("?{}", query.split('&').map(option).collect::<Vec<_>>().join("&")));
    let fragment = fragment.map(|_| format!("#{HIDDEN}"));
    format!("{scheme}://{place}{}{}", query.unwrap_or_default(), fragment.unwrap_or_default())
}

fn option(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, value)) if PLAIN.contains(&name) && !value.contains("://") => pair.to_owned(),
        // An endpoint is a URL of its own.
        Some((name, value)) if PLAIN.contains(&name) => format!("{name}={}", redact(value)),
        Some((name, _)) => format!("{name}={HIDDEN}"),
        None => pair.to_owned(),
    }
}

fn split(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_secret_stays() {
        for url in [
            "redis://localhost:6379/0",
            "redis://ada@localhost/0",
            "postgres://h/db?table=state&sslmode=require",
            "s3://bucket/prefix?region=eu-central-1&endpoint=http://127.0.0.1:9000",
            "s3://bucket/a@b",
            "file:///data",
            "memory",
            "${REDIS_URL}",
            "redis-sentinel://a:26379,b:26379/mymaster/0",
        ] {
            assert_eq!(redact(url), url);
        }
    }

    #[test]
    fn no_secret_is_shown_however_badly_it_is_written() {
        for url in [
            "redis://:hunter2@h",
            "redis://ada:hunter2@h:1/0",
            "redis://ada:hun:hunter2@h",
            "redis://ada:@hunter2@h",
            "redis://ada:/hunter2/@h",
            "redis://:x/hunter2@h",
            "redis://:x?hunter2@h",
            "redis://:x#hunter2@h",
            "s3://b/p?secret_access_key=hunter2&region=r",
            "s3://b/p?session-token=hunter2",
            "postgres://h/db?password=hunter2",
            "postgres://h/db#hunter2",
            "s3://b?endpoint=http://ada:hunter2@h:9000",
            "redis://:${HOST}hunter2@h",
        ] {
            let shown = redact(url);
            assert!(!shown.contains("hunter2"), "{url}: {shown}");
            assert!(shown.starts_with(url.split_once("://").unwrap().0), "{shown}");
        }
        assert_eq!(redact("redis://ada:hunter2@h:1/0"), "redis://ada:***@h:1/0");
    }
}
