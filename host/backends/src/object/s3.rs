//! Amazon S3 and what speaks its protocol.

use std::{collections::BTreeMap, fmt};

use larder_core::{Error, Result, check_blob_path};
use opendal::Operator;

use super::{
    ObjectOptions,
    address::Address,
    services::unknown_option,
    tuning::{self, Tuning},
};

/// A bucket in S3, and below which prefix.
///
/// Without credentials they come from where AWS's own tools take them: the environment (`AWS_ACCESS_KEY_ID`,
/// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`), the profile, a web identity, the container or the machine. The
/// region comes from `AWS_REGION` or `AWS_DEFAULT_REGION` then, the endpoint from `AWS_ENDPOINT_URL`.
///
/// ```
/// use larder_backends::object::{S3Options, S3Style};
///
/// let options = S3Options::new("pages").region("eu-west-1").prefix("raw/").style(S3Style::VirtualHost);
/// let same = S3Options::from_url("s3://pages/raw?region=eu-west-1&style=virtual-host")?;
/// assert_eq!(options.to_string(), "s3://pages/raw");
/// assert_eq!(format!("{options:?}"), format!("{same:?}"));
/// # larder_core::Result::<()>::Ok(())
/// ```
#[derive(Clone, Default)]
pub struct S3Options {
    bucket: String,
    prefix: String,
    region: Option<String>,
    endpoint: Option<String>,
    style: S3Style,
    credentials: Credentials,
    profile: Option<String>,
    role: Option<String>,
    external_id: Option<String>,
    tuning: Tuning,
}

/// Where the bucket stands in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum S3Style {
    /// `https://endpoint/bucket/…`: works everywhere.
    #[default]
    Path,
    /// `https://bucket.endpoint/…`: asked for by some services. The bucket's name has no dots then.
    VirtualHost,
}

/// Who asks.
#[derive(Clone, Default)]
enum Credentials {
    /// Whoever the environment says.
    #[default]
    Environment,
    /// Nobody: requests are not signed.
    Anonymous,
    Keys {
        id: String,
        secret: String,
        token: Option<String>,
    },
}

/// The region that services other than AWS are content with.
const REGION: &str = "us-east-1";

/// The options of a URL, besides those of [`tuning`].
const NAMES: [&str; 10] = [
    "access_key_id",
    "anonymous",
    "endpoint",
    "external_id",
    "profile",
    "region",
    "role_arn",
    "secret_access_key",
    "session_token",
    "style",
];

impl S3Options {
    /// A bucket, with everything else from the environment.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..Self::default() }
    }

    /// `s3://bucket/prefix?region=…&endpoint=…`: the options are `region`, `endpoint`, `style` (`path` or
    /// `virtual-host`), `access_key_id`, `secret_access_key`, `session_token`, `anonymous` (`true`), `profile`,
    /// `role_arn`, `external_id`, and `part_size`, `parts_in_flight`, `connect_timeout`, `answer_timeout`,
    /// `conditions` (`kept` or `ignored`, see [`Conditions`](super::Conditions)).
    ///
    /// # Errors
    /// `config` for what is wrong, by name and with what would be right. The URL itself is in no error: it may hold
    /// secrets.
    pub fn from_url(url: &str) -> Result<Self> {
        let Address { scheme, place, path, mut query, .. } = Address::parse(url)?;
        if scheme != "s3" {
            return Err(Error::config(format!("expected `s3://`, not `{}://`", scheme.escape_debug())));
        }
        let mut options = Self { tuning: Tuning::take(&mut query)?, ..Self::new(place).prefix(path) };
        if let Some(unknown) = query.keys().find(|name| !NAMES.contains(&name.as_str())) {
            return Err(unknown_option("s3", unknown, NAMES.into_iter().chain(tuning::NAMES)));
        }
        let mut take = |name: &str| query.remove(name).filter(|value| !value.is_empty());
        options.region = take("region");
        options.endpoint = take("endpoint");
        options.profile = take("profile");
        options.role = take("role_arn");
        options.external_id = take("external_id");
        options.style = match take("style").as_deref() {
            None | Some("path") => S3Style::Path,
            Some("virtual-host") => S3Style::VirtualHost,
            Some(_) => return Err(Error::config("`style`: expected `path` or `virtual-host`")),
        };
        let anonymous = match take("anonymous").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Error::config("`anonymous`: expected `true` or `false`")),
        };
        options.credentials = match (take("access_key_id"), take("secret_access_key"), take("session_token"))
        {
            (None, None, None) if anonymous => Credentials::Anonymous,
            (None, None, None) => Credentials::Environment,
            (Some(_), ..) | (_, Some(_), _) | (.., Some(_)) if anonymous => {
                return Err(Error::config("`anonymous` and credentials exclude each other"));
            }
            (Some(id), Some(secret), token) => Credentials::Keys { id, secret, token },
            _ => return Err(Error::config("`access_key_id` and `secret_access_key` go together")),
        };
        options.check()?;
        Ok(options)
    }

    /// Sets the prefix that all paths of the store stand below; slashes at its ends make no difference.
    #[must_use]
    pub fn prefix(mut self, prefix: impl AsRef<str>) -> Self {
        self.prefix = prefix.as_ref().trim_matches('/').to_owned();
        self
    }

    /// Sets the region.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Sets the endpoint of a service other than AWS, `http://127.0.0.1:9000`.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Sets where the bucket stands in an address.
    #[must_use]
    pub fn style(mut self, style: S3Style) -> Self {
        self.style = style;
        self
    }

    /// Sets the access key, its secret, and the token of a session where they are temporary.
    #[must_use]
    pub fn keys(mut self, id: impl Into<String>, secret: impl Into<String>, token: Option<String>) -> Self {
        self.credentials = Credentials::Keys { id: id.into(), secret: secret.into(), token };
        self
    }

    /// Signs no request: for buckets that are open to everyone.
    #[must_use]
    pub fn anonymous(mut self) -> Self {
        self.credentials = Credentials::Anonymous;
        self
    }

    /// Sets the profile of AWS's shared files that credentials come from.
    #[must_use]
    pub fn profile(mut self, profile: impl Into<String>) -> Self {
        self.profile = Some(profile.into());
        self
    }

    /// Sets a role to assume with the credentials.
    #[must_use]
    pub fn role(mut self, arn: impl Into<String>, external_id: Option<String>) -> Self {
        self.role = Some(arn.into());
        self.external_id = external_id;
        self
    }

    /// Sets the size of parts, in bytes, and how many may be on their way at once.
    #[must_use]
    pub fn parts(mut self, part_bytes: usize, in_flight: usize) -> Self {
        self.tuning.part_bytes = part_bytes;
        self.tuning.parts_in_flight = in_flight;
        self
    }

    /// The same as options of any service.
    ///
    /// # Errors
    /// `config` for what is missing or can't be right.
    pub fn into_object(self) -> Result<ObjectOptions> {
        self.check()?;
        let mut options = BTreeMap::new();
        let mut set = |name: &str, value: Option<String>| {
            options.extend(value.map(|value| (name.to_owned(), value)));
        };
        set("bucket", Some(self.bucket));
        set("root", Some(format!("/{}", self.prefix)));
        set("region", self.region.or_else(|| region_without_one(self.endpoint.as_deref())));
        set("endpoint", self.endpoint);
        set("profile", self.profile);
        set("role_arn", self.role);
        set("external_id", self.external_id);
        set("enable_virtual_host_style", (self.style == S3Style::VirtualHost).then(|| "true".to_owned()));
        match self.credentials {
            Credentials::Environment => {}
            Credentials::Anonymous => set("skip_signature", Some("true".to_owned())),
            Credentials::Keys { id, secret, token } => {
                set("access_key_id", Some(id));
                set("secret_access_key", Some(secret));
                set("session_token", token);
            }
        }
        let Tuning { part_bytes, parts_in_flight, connect_timeout, answer_timeout, conditions } = self.tuning;
        Ok(ObjectOptions::service("s3", options)?
            .part_bytes(part_bytes)
            .parts_in_flight(parts_in_flight)
            .connect_timeout(connect_timeout)
            .answer_timeout(answer_timeout)
            .conditions(conditions))
    }

    /// Opens the bucket.
    ///
    /// # Errors
    /// As [`ObjectOptions::open`].
    pub async fn open(self) -> Result<Operator> {
        self.into_object()?.open().await
    }

    fn check(&self) -> Result<()> {
        let odd = |letter: char| !(letter.is_ascii_alphanumeric() || "-_.".contains(letter));
        if self.bucket.is_empty() {
            return Err(Error::config("no bucket: expected `s3://bucket/prefix`"));
        }
        if self.bucket.contains(odd) {
            return Err(Error::config("the bucket's name has letters, digits, `-`, `_` and `.` alone"));
        }
        if self.style == S3Style::VirtualHost && self.bucket.contains('.') {
            return Err(Error::config("a bucket with dots in its name needs `style=path`"));
        }
        if !self.prefix.is_empty() {
            check_blob_path(&self.prefix)
                .map_err(|error| Error::config("the prefix can't be one").caused_by(error))?;
        }
        if let Some(endpoint) = &self.endpoint {
            let is_web = ["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme));
            if !is_web || endpoint.contains(['@', '?', '#']) {
                return Err(Error::config(
                    "`endpoint`: expected `http://host:port` or `https://host:port`, and no credentials in it",
                ));
            }
        }
        Ok(())
    }
}

/// A service of one's own has some region or other, unless the environment names one.
fn region_without_one(endpoint: Option<&str>) -> Option<String> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let known = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().any(is_set);
    (endpoint.is_some() && !known).then(|| REGION.to_owned())
}

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = match &self.credentials {
            Credentials::Environment => "of the environment",
            Credentials::Anonymous => "none",
            Credentials::Keys { token: None, .. } => "given",
            Credentials::Keys { token: Some(_), .. } => "given, with a session token",
        };
        f.debug_struct("S3Options")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("style", &self.style)
            .field("credentials", &credentials)
            .field("profile", &self.profile)
            .field("role", &self.role)
            .field("tuning", &self.tuning)
            .finish_non_exhaustive()
    }
}

/// The URL without its options.
impl fmt::Display for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_everything() {
        let url = "s3://pages/raw/html?region=eu-west-1&endpoint=http://127.0.0.1:9000&style=path\
                   &access_key_id=AKIA&secret_access_key=zq+x/1&session_token=zq%2By&part_size=16MiB\
                   &parts_in_flight=8&connect_timeout=2s&answer_timeout=9s";
        let options = S3Options::from_url(url).unwrap();
        for shown in [
            format!("{options:?}"),
            options.to_string(),
            format!("{:?}", options.clone().into_object().unwrap()),
        ] {
            for secret in ["AKIA", "zq"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
        let Credentials::Keys { id, secret, token } = &options.credentials else { panic!("no keys") };
        assert_eq!((id.as_str(), secret.as_str(), token.as_deref()), ("AKIA", "zq+x/1", Some("zq+y")));
        assert_eq!(options.into_object().unwrap().to_string(), "s3://pages/raw/html");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right_and_without_secrets() {
        for (url, told) in [
            ("s3://", "no bucket"),
            ("s3:///prefix", "no bucket"),
            ("s3://b?regoin=x", "did you mean `region`?"),
            ("s3://b?partsize=x", "did you mean `part_size`?"),
            ("s3://b?secret_access_key=secret", "go together"),
            ("s3://b?access_key_id=secret", "go together"),
            ("s3://b?session_token=secret", "go together"),
            ("s3://b?anonymous=true&access_key_id=a&secret_access_key=secret", "exclude each other"),
            ("s3://b?anonymous=perhaps", "`true` or `false`"),
            ("s3://b?style=secret", "`path` or `virtual-host`"),
            ("s3://b.c?style=virtual-host", "style=path"),
            ("s3://b?endpoint=localhost", "`http://host:port`"),
            ("s3://b?endpoint=http://user:secret@host", "no credentials in it"),
            ("s3://b/../c", "prefix"),
            ("s3://key:secret@b/", "by name behind the `?`"),
            ("s3://b%2Fc/", "letters, digits"),
            ("http://b", "expected `s3://`"),
        ] {
            let error = S3Options::from_url(url).unwrap_err();
            assert_eq!(error.kind(), larder_core::ErrorKind::Config, "{url}");
            assert!(error.chain().contains(told), "{url}: {}", error.chain());
            assert!(
                !error.chain().contains("secret") || error.message().contains("go together"),
                "{}",
                error.chain()
            );
        }
    }
}
