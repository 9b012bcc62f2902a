//! Reading a store's URL. No error shows it: it may hold a password.

use std::path::{Path, PathBuf};

use larder_core::{Error, Result};
use sqlx::{
    ConnectOptions as _,
    postgres::{PgConnectOptions, PgSslMode},
};
use url::Url;

use super::{SqlOptions, options::Target};

const POSTGRES_PARAMETERS: [&str; 9] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "application_name",
    "host",
    "schema",
    "table",
    "connections_max",
];
const SQLITE_PARAMETERS: [&str; 2] = ["table", "connections_max"];
const SSL_MODES: &str = "disable, allow, prefer, require, verify-ca or verify-full";

/// What is expected, for errors.
const EXPECTED: &str = "postgres://USER:PASSWORD@HOST:PORT/DATABASE or sqlite:///PATH";

pub(super) fn parse(text: &str) -> Result<SqlOptions> {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    match scheme.to_ascii_lowercase().as_str() {
        "postgres" | "postgresql" => postgres(text),
        "sqlite" => sqlite(rest.strip_prefix("//").unwrap_or(rest)),
        _ => Err(Error::config(format!("this is no URL of a SQL database: {EXPECTED} is expected"))),
    }
}

fn postgres(text: &str) -> Result<SqlOptions> {
    let url = Url::parse(text).map_err(|cause| {
        // The parser's error says what is wrong and does not repeat the URL.
        Error::config(format!("the URL of the database can't be read: {EXPECTED} is expected; characters such as @, / and : in a password are written as %40, %2F and %3A")).caused_by(cause)
    })?;
    let decoded = |what: &str, text: &str| {
        percent_decoded(text).ok_or_else(|| Error::config(format!("the {what} in the URL is no UTF-8")))
    };
    let mut options = PgConnectOptions::new_without_pgpass().disable_statement_logging();
    if let Some(host) = url.host_str().filter(|host| !host.is_empty()) {
        let host = decoded("host", host)?;
        // An IPv6 address stands in brackets in a URL, and nowhere else.
        options = match host.strip_prefix('/') {
            Some(_) => options.socket(&host),
            None => options.host(host.trim_start_matches('[').trim_end_matches(']')),
        };
    }
    if let Some(port) = url.port() {
        options = options.port(port);
    }
    if !url.username().is_empty() {
        options = options.username(&decoded("user", url.username())?);
    }
    if let Some(password) = url.password() {
        options = options.password(&decoded("password", password)?);
    }
    let database = url.path().trim_start_matches('/');
    if !database.is_empty() {
        options = options.database(&decoded("database", database)?);
    }
    let mut general = General::default();
    for (name, value) in url.query_pairs() {
        let value = &*value;
        options = match &*name {
            "sslmode" => options.ssl_mode(value.parse::<PgSslMode>().map_err(|_| {
                Error::config(format!(
                    "the parameter `sslmode` of the URL is {value:?}; {SSL_MODES} is expected"
                ))
            })?),
            "sslrootcert" => options.ssl_root_cert(value),
            "sslcert" => options.ssl_client_cert(value),
            "sslkey" => options.ssl_client_key(value),
            "application_name" => options.application_name(value),
            "host" if value.starts_with('/') => options.socket(value),
            "host" => options.host(value),
            other => {
                general.note(other, value, &POSTGRES_PARAMETERS)?;
                options
            }
        };
    }
    Ok(general.apply(SqlOptions::new(Target::Postgres(Box::new(options)))))
}

fn sqlite(rest: &str) -> Result<SqlOptions> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if path == ":memory:" {
        return Err(Error::config(
            "a SQLite store is a file: `:memory:` would be lost with the process; `memory://` is a store for that",
        ));
    }
    if path.is_empty() || path.ends_with('/') {
        return Err(Error::config(
            "the URL names no SQLite file: sqlite:///absolute/path.db or sqlite://relative/path.db is expected",
        ));
    }
    let path = percent_decoded(path)
        .filter(|path| !path.contains('\0'))
        .ok_or_else(|| Error::config("the path of the SQLite file is no UTF-8, or holds a NUL"))?;
    let mut general = General::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        general.note(&name, &value, &SQLITE_PARAMETERS)?;
    }
    Ok(general.apply(SqlOptions::new(Target::Sqlite(anchored(&path)))))
}

/// A path that SQLite takes for nothing but a path: it has meanings of its own for `file:` and `:name:`.
fn anchored(path: &str) -> PathBuf {
    if path.starts_with('/')
        || path.starts_with("./")
        || path.starts_with("../")
        || Path::new(path).is_absolute()
    {
        PathBuf::from(path)
    } else {
        Path::new(".").join(path)
    }
}

/// Parameters that both dialects have.
#[derive(Default)]
struct General {
    table: Option<String>,
    schema: Option<String>,
    connections_max: Option<u32>,
}

impl General {
    fn note(&mut self, name: &str, value: &str, known: &[&str]) -> Result<()> {
        if !known.contains(&name) {
            let nearest = known.iter().min_by_key(|known| strsim::damerau_levenshtein(name, known));
            let nearest = nearest.copied().unwrap_or_default();
            return Err(Error::config(format!(
                "the URL has an unknown parameter `{name}`; did you mean `{nearest}`? Known are: {}",
                known.join(", ")
            )));
        }
        match name {
            "table" => self.table = Some(value.to_owned()),
            "schema" => self.schema = Some(value.to_owned()),
            _ => {
                self.connections_max = Some(value.parse().map_err(|_| {
                    Error::config(format!(
                        "the parameter `{name}` of the URL is {value:?}; a number is expected"
                    ))
                })?);
            }
        }
        Ok(())
    }

    fn apply(self, mut options: SqlOptions) -> SqlOptions {
        options.table = self.table.unwrap_or(options.table);
        options.schema = self.schema;
        options.connections_max = self.connections_max.unwrap_or(options.connections_max);
        options
    }
}

/// `%40` and the like; none where the result is no UTF-8. A sign that begins no such escape stands for itself.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let escaped = (*first == b'%').then(|| tail.first_chunk::<2>()).flatten();
        match escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()) {
            Some(byte) if tail.iter().take(2).all(u8::is_ascii_hexdigit) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use larder_core::ErrorKind;

    use super::*;

    fn refused(url: &str) -> String {
        let error = parse(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        error.chain()
    }

    fn path(url: &str) -> PathBuf {
        match parse(url).unwrap().target {
            Target::Sqlite(path) => path,
            Target::Postgres(_) => panic!("{url} is SQLite's"),
        }
    }

    #[test]
    fn a_postgres_url_says_everything() {
        let options =
            parse("postgresql://ada:p%40ss@db.example:6543/state?sslmode=require&table=a%22b&schema=s")
                .unwrap();
        let Target::Postgres(target) = &options.target else { panic!("PostgreSQL's") };
        assert_eq!((target.get_host(), target.get_port()), ("db.example", 6543));
        assert_eq!((target.get_username(), target.get_database()), ("ada", Some("state")));
        assert!(matches!(target.get_ssl_mode(), PgSslMode::Require));
        assert_eq!((options.table.as_str(), options.schema.as_deref()), ("a\"b", Some("s")));
        assert_eq!(options.to_string(), "postgres(db.example:6543/state, s.a\"b)");
        let v6 = parse("postgres://ada@[::1]:6543/state").unwrap();
        let Target::Postgres(target) = &v6.target else { panic!("PostgreSQL's") };
        assert_eq!(target.get_host(), "::1");
    }

    #[test]
    fn no_password_is_shown() {
        let options = parse("postgres://ada:hunter2@localhost/state").unwrap();
        assert!(!format!("{options} {options:?}").contains("hunter2"));
        for url in [
            "postgres://ada:hunter2@localhost:port/state",
            "postgres://ada:hunter2@localhost/state?sslmod=require",
            "postgres://ada:hunter2@localhost/state?sslmode=strict",
            "postgre://ada:hunter2@localhost/state",
        ] {
            assert!(!refused(url).contains("hunter2"), "{}", refused(url));
        }
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_the_nearest_known() {
        assert!(refused("postgres://h/d?sslmod=require").contains("did you mean `sslmode`"));
        assert!(refused("sqlite://a.db?tabel=x").contains("did you mean `table`"));
        assert!(refused("sqlite://a.db?mode=ro").contains("unknown parameter `mode`"));
        assert!(refused("sqlite://a.db?connections_max=many").contains("a number is expected"));
    }

    #[test]
    fn a_sqlite_url_is_a_path() {
        assert_eq!(path("sqlite:///var/lib/state.db"), Path::new("/var/lib/state.db"));
        assert_eq!(path("sqlite://./data/state.db"), Path::new("./data/state.db"));
        assert_eq!(path("sqlite://data/state.db"), Path::new("./data/state.db"));
        assert_eq!(path("sqlite:state.db?table=x"), Path::new("./state.db"));
        assert_eq!(path("sqlite://why%3F%20100%.db"), Path::new("./why? 100%.db"));
        assert_eq!(path("sqlite:file:memory"), Path::new("./file:memory"));
        for url in [
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite://",
            "sqlite:",
            "sqlite:///var/",
            "sqlite://a%00b",
        ] {
            refused(url);
        }
    }
}
