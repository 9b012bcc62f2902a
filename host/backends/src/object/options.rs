//! How a store of blobs on a remote service is opened.

use std::{collections::BTreeMap, fmt, time::Duration};

use futures::StreamExt;
use larder_core::{Error, ErrorKind, Result};
use opendal::Operator;

use super::{
    Guards, S3Options, Strict,
    address::Address,
    error, guarded,
    remote::{Conditions, Remote},
    services::{self, Source},
    transport::Waits,
    tuning::Tuning,
};

/// Options whose values may be shown: everything else may be a secret.
const SHOWN: [&str; 9] = [
    "bucket",
    "container",
    "endpoint",
    "enable_virtual_host_style",
    "filesystem",
    "profile",
    "region",
    "root",
    "share_name",
];

/// A store on any service that OpenDAL reaches and that is compiled in: its options as OpenDAL names them.
///
/// ```
/// use larder_backends::object::ObjectOptions;
///
/// let options = ObjectOptions::from_url("s3://pages/raw?region=eu-west-1&secret_access_key=x&access_key_id=y")?;
/// assert_eq!(options.scheme(), "s3");
/// assert!(!format!("{options:?}").contains("secret_access_key: \"x\""));
///
/// let error = ObjectOptions::from_url("s3://pages?regoin=eu-west-1").unwrap_err();
/// assert!(error.message().contains("did you mean `region`?"));
/// # larder_core::Result::<()>::Ok(())
/// ```
#[derive(Clone)]
pub struct ObjectOptions {
    scheme: String,
    source: Source,
    tuning: Tuning,
    guards: Guards,
    check: Check,
}

/// Whether opening reaches the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    /// Opening lists one blob, so that a bucket that is not there or credentials that are not taken are told then.
    #[default]
    AtOpen,
    /// Opening reaches nothing; the first operation does.
    Never,
}

impl ObjectOptions {
    /// Options of a service by name, as OpenDAL names both.
    ///
    /// # Errors
    /// `config` for a service that is not compiled in, with the feature that would do it, and for an option that
    /// the service does not know, with the nearest that it knows.
    pub fn service(
        scheme: &str,
        options: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Result<Self> {
        let mut options: BTreeMap<String, String> =
            options.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let tuning = Tuning::take(&mut options)?;
        let (_, driver) = services::find(scheme)?;
        services::check_options(scheme, driver, &options)?;
        Ok(Self { tuning, ..Self::new(scheme, Source::Options(options)) })
    }

    /// A URL: `s3://bucket/prefix?region=…&endpoint=…` as of [`S3Options::from_url`], or that of another service,
    /// `gcs://bucket/prefix?credential_path=…`, with its options behind the `?`.
    ///
    /// # Errors
    /// As [`service`](Self::service), and for what is no URL. The URL itself is in no error: it may hold secrets.
    pub fn from_url(url: &str) -> Result<Self> {
        let address = Address::parse(url)?;
        if address.scheme == "s3" {
            return S3Options::from_url(url)?.into_object();
        }
        let Address { scheme, base, mut query, .. } = address;
        let tuning = Tuning::take(&mut query)?;
        let (_, driver) = services::find(&scheme)?;
        services::check_options(&scheme, driver, &query)?;
        Ok(Self { tuning, ..Self::new(&scheme, Source::Url(base, query)) })
    }

    fn new(scheme: &str, source: Source) -> Self {
        let (tuning, guards, check) = (Tuning::default(), Guards::default(), Check::default());
        Self { scheme: scheme.to_owned(), source, tuning, guards, check }
    }

    /// The service's name.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Sets the size of the parts of large blobs, in bytes; the service may want larger ones. 7 MiB otherwise.
    #[must_use]
    pub fn part_bytes(mut self, part_bytes: usize) -> Self {
        self.tuning.part_bytes = part_bytes;
        self
    }

    /// Sets how many parts of a blob may be on their way at once. 4 otherwise. A writer holds no more than this many
    /// parts, one more that waits for its turn, and one that is being filled.
    #[must_use]
    pub fn parts_in_flight(mut self, parts: usize) -> Self {
        self.tuning.parts_in_flight = parts;
        self
    }

    /// Sets the longest wait for a connection. 5 s otherwise.
    #[must_use]
    pub fn connect_timeout(mut self, wait: Duration) -> Self {
        self.tuning.connect_timeout = wait;
        self
    }

    /// Sets the longest wait for the head of an answer, the sending of a part included, and for each piece of its
    /// body. 30 s otherwise.
    #[must_use]
    pub fn answer_timeout(mut self, wait: Duration) -> Self {
        self.tuning.answer_timeout = wait;
        self
    }

    /// Sets whether the service is believed to keep the conditions of writes.
    #[must_use]
    pub fn conditions(mut self, conditions: Conditions) -> Self {
        self.tuning.conditions = conditions;
        self
    }

    /// Puts guards in front of the operator. None otherwise: whoever assembles a store puts its own there with
    /// [`guarded`].
    #[must_use]
    pub fn guards(mut self, guards: Guards) -> Self {
        self.guards = guards;
        self
    }

    /// Sets whether opening reaches the service.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    /// Opens the store.
    ///
    /// # Behavior
    /// The operator keeps larder's promises: paths are checked, a put is atomic, a write whose answer was lost is
    /// never wrongly called a conflict, a read stays with one version, listings ascend, and what the service can't
    /// keep is refused. Reading and writing needs a tokio runtime.
    ///
    /// # Errors
    /// `config` where options are missing or wrong, or the bucket does not exist; `denied` where the credentials are
    /// not taken; `unavailable` and `timeout` where the service can't be reached. Cancel safe.
    pub async fn open(&self) -> Result<Operator> {
        let operator = self.unchecked()?;
        if self.check == Check::AtOpen {
            check(&operator).await?;
        }
        Ok(operator)
    }

    fn unchecked(&self) -> Result<Operator> {
        let (service, driver) = services::find(&self.scheme)?;
        self.tuning.check()?;
        let waits = Waits { connect: self.tuning.connect_timeout, answer: self.tuning.answer_timeout };
        let remote = Remote {
            part_bytes: self.tuning.part_bytes,
            parts_in_flight: self.tuning.parts_in_flight,
            conditions: self.tuning.conditions,
            traits: service.traits,
        };
        let operator = driver.open_with(&self.source, waits)?.layer(remote).layer(Strict);
        Ok(guarded(operator, self.guards))
    }
}

/// Whether a store answers: lists one blob. What `health` asks.
///
/// # Errors
/// `config` where the bucket does not exist or the settings can't be right, `denied` where the credentials are not
/// taken, else the service's. Cancel safe.
pub async fn check(operator: &Operator) -> Result<()> {
    let info = operator.info();
    let named = |error: Error| {
        let name = info.name();
        let error = error.operation("check").with("service", info.scheme());
        if name.is_empty() { error } else { error.with("name", name) }
    };
    if !info.capability().list {
        return Ok(());
    }
    let listed = async {
        let mut lister = operator.lister_with("/").limit(1).await?;
        lister.next().await.transpose().map(drop)
    };
    let Err(failed) = listed.await else { return Ok(()) };
    use opendal::ErrorKind as Kind;
    let place = services::find(info.scheme()).ok().and_then(|(service, _)| service.place);
    let (kind, is_permanent) = (failed.kind(), failed.is_permanent());
    let told = error(failed);
    match (kind, place) {
        (Kind::ConfigInvalid, Some(place)) | (Kind::NotFound, Some(place)) => {
            Err(named(Error::config(format!("there is no such {place}")).caused_by(told)))
        }
        // A folder that is made with its first blob.
        (Kind::NotFound, None) => Ok(()),
        // The service answered, and not that it is busy: a wrong region, a wrong endpoint, no service of this kind.
        (Kind::Unexpected, _) if is_permanent && told.kind() == ErrorKind::Unavailable => {
            Err(named(Error::config("the service does not work with these settings").caused_by(told)))
        }
        _ => Err(named(told)),
    }
}

impl fmt::Debug for ObjectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ObjectOptions");
        shown.field("scheme", &self.scheme);
        if let Source::Url(url, _) = &self.source {
            shown.field("url", url);
        }
        for (name, value) in self.source.options() {
            let value = if SHOWN.contains(&name.as_str()) { value.as_str() } else { "(not shown)" };
            shown.field(name, &value);
        }
        shown.field("tuning", &self.tuning).field("guards", &self.guards).field("check", &self.check).finish()
    }
}

/// The service and where it is, as in a configuration's explanation.
impl fmt::Display for ObjectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Source::Url(url, _) = &self.source {
            return f.write_str(url);
        }
        let option = |name: &str| self.source.options().get(name).map(String::as_str).unwrap_or_default();
        let place = ["bucket", "container", "filesystem", "share_name", "endpoint"].map(option);
        let place = place.into_iter().find(|place| !place.is_empty()).unwrap_or_default();
        write!(f, "{}://{place}", self.scheme)?;
        let prefix = option("root").trim_matches('/');
        if prefix.is_empty() { Ok(()) } else { write!(f, "/{prefix}") }
    }
}
