//! The services that OpenDAL reaches: which are compiled in, by what feature, and what each can do.
//!
//! S3 is always there. Each of the others is a cargo feature of this crate, called after the scheme, because each
//! costs compile time and code.

use std::collections::BTreeMap;

use larder_core::{Error, Result};
use opendal::{Builder, Capability, Configurator, Operator, OperatorUri, services};

use super::{
    error,
    remote::{Conditions, Remote, Traits},
    transport,
};

/// A service that can be opened, as `larder backends` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scheme {
    /// What stands before the `://` of a URL, or behind `scheme:` in a table.
    pub scheme: &'static str,
    /// What a store of it declares, in the words of the conformance table.
    pub features: Vec<&'static str>,
    /// The options that it knows, as OpenDAL names them.
    pub options: Vec<String>,
}

/// The services that are compiled in, by name.
pub fn schemes() -> Vec<Scheme> {
    let compiled = SERVICES.iter().filter_map(|service| {
        let driver = service.driver?;
        let sample = service.sample.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        // A test holds that each sample opens; a service that can't be opened declares nothing.
        let capability = driver.open(&Source::Options(sample.collect())).map_or_else(
            |_| Capability::default(),
            |operator| {
                let remote = Remote {
                    part_bytes: 0,
                    parts_in_flight: 1,
                    conditions: Conditions::Kept,
                    traits: service.traits,
                };
                operator.layer(remote).info().capability()
            },
        );
        let features = FEATURES.iter().filter(|(_, has)| has(&capability)).map(|(name, _)| *name).collect();
        Some(Scheme { scheme: service.scheme, features, options: (driver.options)() })
    });
    compiled.collect()
}

type Has = fn(&Capability) -> bool;

/// What is told of a service.
const FEATURES: [(&str, Has); 8] = [
    ("write", |c| c.write),
    ("content-type", |c| c.write_with_content_type),
    ("user-metadata", |c| c.write_with_user_metadata),
    ("if-absent", |c| c.write_with_if_not_exists),
    ("if-match", |c| c.write_with_if_match),
    ("list", |c| c.list),
    ("list-recursive", |c| c.list_with_recursive),
    ("copy", |c| c.copy),
];

/// A service of OpenDAL, compiled in or not.
pub(super) struct Service {
    pub(super) scheme: &'static str,
    pub(super) traits: Traits,
    /// What the place of the blobs is called at the service, where one has to be made before it is used.
    pub(super) place: Option<&'static str>,
    /// Options with which it opens, without reaching anything.
    sample: &'static [(&'static str, &'static str)],
    driver: Option<Driver>,
}

/// How a service that is compiled in is opened.
#[derive(Clone, Copy)]
pub(super) struct Driver {
    options: fn() -> Vec<String>,
    from_options: fn(BTreeMap<String, String>) -> opendal::Result<Operator>,
    from_url: fn(&str, BTreeMap<String, String>) -> opendal::Result<Operator>,
}

/// What a service is opened from.
#[derive(Clone)]
pub(super) enum Source {
    /// Options alone.
    Options(BTreeMap<String, String>),
    /// A URL without its query, and the options of the query.
    Url(String, BTreeMap<String, String>),
}

impl Source {
    /// The options, by name.
    pub(super) fn options(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Options(options) | Self::Url(_, options) => options,
        }
    }
}

impl Driver {
    fn of<B>() -> Self
    where
        B: Builder,
        B::Config: Default,
    {
        Self {
            options: || names(&B::Config::default()),
            from_options: |options| Operator::from_config(B::Config::from_iter(options)?),
            from_url: |url, options| {
                Operator::from_config(B::Config::from_uri(&OperatorUri::new(url, options)?)?)
            },
        }
    }

    /// Makes the operator: the service alone, nothing is reached.
    fn open(self, source: &Source) -> Result<Operator> {
        transport::prepare();
        let opened = match source {
            Source::Options(options) => (self.from_options)(options.clone()),
            Source::Url(url, options) => (self.from_url)(url, options.clone()),
        };
        opened.map_err(error)
    }

    /// Makes the operator with a client of its own.
    pub(super) fn open_with(self, source: &Source, waits: transport::Waits) -> Result<Operator> {
        transport::with_client(self.open(source)?, waits)
    }
}

/// The names of a service's options: its configuration written down has each of them.
fn names(config: &impl Configurator) -> Vec<String> {
    match serde_json::to_value(config) {
        Ok(serde_json::Value::Object(fields)) => fields.into_iter().map(|(name, _)| name).collect(),
        _ => Vec::new(),
    }
}

/// Finds a service that is compiled in.
///
/// # Errors
/// `config` where it is not, with what would help.
pub(super) fn find(scheme: &str) -> Result<(&'static Service, Driver)> {
    let known = SERVICES.iter().find(|service| service.scheme == scheme);
    if let Some(service) = known
        && let Some(driver) = service.driver
    {
        return Ok((service, driver));
    }
    let compiled: Vec<&str> =
        SERVICES.iter().filter(|service| service.driver.is_some()).map(|service| service.scheme).collect();
    let compiled = compiled.join(", ");
    let message = match (known, scheme) {
        (Some(_), _) => format!(
            "the service `{scheme}` is not compiled in: build with the feature `{scheme}` (compiled in: {compiled})"
        ),
        (None, "fs" | "file") => "larder has a backend of its own for folders: `file`".to_owned(),
        (None, "memory") => "larder has a backend of its own for memory: `memory`".to_owned(),
        (None, _) => {
            let near = nearest(scheme, SERVICES.iter().map(|service| service.scheme));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            format!("no service `{scheme}` is known{near} (compiled in: {compiled})")
        }
    };
    Err(Error::config(message).with("scheme", scheme.escape_debug()))
}

/// Refuses options that a service does not know, by name and never by value.
pub(super) fn check_options(scheme: &str, driver: Driver, options: &BTreeMap<String, String>) -> Result<()> {
    let known = (driver.options)();
    let Some(unknown) = options.keys().find(|name| !known.contains(name)) else { return Ok(()) };
    Err(unknown_option(scheme, unknown, known.iter().map(String::as_str)))
}

/// An error that names an unknown option and the nearest known one.
pub(super) fn unknown_option<'k>(scheme: &str, name: &str, known: impl Iterator<Item = &'k str>) -> Error {
    let near = nearest(name, known);
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Error::config(format!("`{scheme}` has no option `{}`{near}", name.escape_debug()))
}

/// The known name that a typed one differs least from.
fn nearest<'k>(typed: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let typed = typed.to_ascii_lowercase();
    known.min_by_key(|name| strsim::damerau_levenshtein(&typed, name))
}

/// S3, and what speaks its protocol. (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>)
const S3: Traits = Traits {
    default_content_type: Some("binary/octet-stream"),
    key_bytes_max: 1_024,
    user_metadata_bytes_max: 2 << 10,
    parts_max: 10_000,
};

/// What the other services agree on.
const OTHER: Traits = Traits { default_content_type: None, user_metadata_bytes_max: 8 << 10, ..S3 };

macro_rules! driver {
    ($feature:literal, $builder:ident) => {{
        #[cfg(feature = $feature)]
        let driver = Some(Driver::of::<services::$builder>());
        #[cfg(not(feature = $feature))]
        let driver = None;
        driver
    }};
}

macro_rules! service {
    ($scheme:literal, $builder:ident, $traits:ident, $place:expr, $sample:expr) => {
        Service {
            scheme: $scheme,
            traits: $traits,
            place: $place,
            sample: $sample,
            driver: driver!($scheme, $builder),
        }
    };
}

static SERVICES: std::sync::LazyLock<[Service; 15]> = std::sync::LazyLock::new(|| {
    const ENDPOINT: (&str, &str) = ("endpoint", "http://localhost");
    const BUCKET: (&str, &str) = ("bucket", "sample");
    [
        service!("azblob", Azblob, OTHER, Some("container"), &[("container", "sample"), ENDPOINT]),
        service!("azdls", Azdls, OTHER, Some("file system"), &[("filesystem", "sample"), ENDPOINT]),
        service!(
            "azfile",
            Azfile,
            OTHER,
            Some("share"),
            &[("share_name", "sample"), ENDPOINT, ("account_name", "sample")]
        ),
        service!(
            "b2",
            B2,
            OTHER,
            Some("bucket"),
            &[
                BUCKET,
                ("bucket_id", "sample"),
                ("application_key_id", "sample"),
                ("application_key", "sample")
            ]
        ),
        service!("cos", Cos, OTHER, Some("bucket"), &[BUCKET, ENDPOINT]),
        service!("gcs", Gcs, OTHER, Some("bucket"), &[BUCKET]),
        service!("http", Http, OTHER, None, &[ENDPOINT]),
        service!("obs", Obs, OTHER, Some("bucket"), &[BUCKET, ENDPOINT]),
        service!("onedrive", Onedrive, OTHER, None, &[("access_token", "sample")]),
        service!("oss", Oss, OTHER, Some("bucket"), &[BUCKET, ENDPOINT]),
        Service {
            scheme: "s3",
            traits: S3,
            place: Some("bucket"),
            sample: &[BUCKET, ("region", "us-east-1")],
            driver: Some(Driver::of::<services::S3>()),
        },
        service!(
            "swift",
            Swift,
            OTHER,
            Some("container"),
            &[("container", "sample"), ENDPOINT, ("token", "sample")]
        ),
        service!("tos", Tos, OTHER, Some("bucket"), &[BUCKET, ("region", "cn-beijing"), ENDPOINT]),
        service!("webdav", Webdav, OTHER, None, &[ENDPOINT]),
        service!("webhdfs", Webhdfs, OTHER, None, &[ENDPOINT]),
    ]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_that_is_compiled_in_opens_and_tells_what_it_can_do() {
        for scheme in schemes() {
            assert!(
                !scheme.features.is_empty() || scheme.scheme == "http",
                "{} declares nothing",
                scheme.scheme
            );
            assert!(!scheme.options.is_empty(), "{} has no options", scheme.scheme);
        }
        let s3 = schemes().into_iter().find(|scheme| scheme.scheme == "s3").unwrap();
        assert_eq!(s3.features.len(), FEATURES.len());
        assert!(s3.options.iter().any(|name| name == "secret_access_key"));
    }

    #[test]
    fn what_is_not_compiled_in_or_not_known_says_what_would_help() {
        let told = |scheme| find(scheme).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told("s4").contains("did you mean `s3`?"));
        assert!(told("fs").contains("`file`"));
        assert!(told("gopher").contains("compiled in: "));
        #[cfg(not(feature = "gcs"))]
        assert!(told("gcs").contains("build with the feature `gcs`"));
    }
}
