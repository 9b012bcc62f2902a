//! Schemas by the prefix of the keys that they are for, and what they say of a value.
//!
//! Texts that leave here say where a value is bad and which rule it breaks, and hold nothing of the value but the names
//! in the pointer. All are cut.

use std::fmt;

use jsonschema::{PatternOptions, ValidationError, Validator, error::ValidationErrorKind};
use larder_sdk::{Error, Result, Settings};
use serde_json::Value;

/// Most schemas. Each is compiled in each instance.
const SCHEMAS_MAX: usize = 256;

/// The largest value that is read as JSON if the settings don't say otherwise, in bytes: read, it takes about forty times as
/// much memory at worst, of the 256 MiB that an instance has by default.
const VALUE_BYTES_DEFAULT: usize = 1 << 20;

/// Most reasons that are given for one value.
const REASONS_MAX: usize = 3;

/// The longest pointer and the longest reason, in bytes.
const TOLD_BYTES_MAX: usize = 200;

/// The largest automaton of one `pattern`, in bytes: what a schema may cost in each instance.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Why a value is bad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// Where in the value, as a JSON Pointer; empty: the whole.
    pub(crate) at: String,
    /// Which rule it breaks.
    pub(crate) why: String,
}

/// All schemas, those of the longest prefixes first.
#[derive(Debug)]
pub(crate) struct Schemas {
    by_prefix: Vec<Schema>,
}

/// What values of the keys with a prefix are held to.
pub(crate) struct Schema {
    prefix: String,
    /// None: anything, JSON or not.
    validator: Option<Validator>,
    value_bytes_max: usize,
}

impl Schemas {
    /// From the settings `schema.PREFIX` and `max_value_bytes`.
    ///
    /// # Errors
    /// `invalid`, naming the setting, where a schema is none, needs another document, or there are too many.
    pub(crate) fn configure(settings: &mut Settings) -> Result<Self> {
        let value_bytes_max = settings.parse("max_value_bytes")?.unwrap_or(VALUE_BYTES_DEFAULT);
        let texts = settings.take_below("schema.");
        if texts.len() > SCHEMAS_MAX {
            return Err(Error::invalid(format!("{} schemas, more than {SCHEMAS_MAX}", texts.len())));
        }
        let compile = |(prefix, text): (String, String)| {
            let validator =
                compiled(&text).map_err(|error| error.context(&format!("the setting `schema.{prefix}`")))?;
            Ok(Schema { prefix, validator, value_bytes_max })
        };
        let mut by_prefix = texts.into_iter().map(compile).collect::<Result<Vec<_>>>()?;
        by_prefix.sort_by_key(|schema| std::cmp::Reverse(schema.prefix.len()));
        Ok(Self { by_prefix })
    }

    /// Whether nothing is held to anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_prefix.iter().all(|schema| schema.validator.is_none())
    }

    /// The schema that a key is under; none where there is none, or one that takes anything.
    pub(crate) fn covering(&self, key: &str) -> Option<&Schema> {
        let longest = self.by_prefix.iter().find(|schema| key.starts_with(&*schema.prefix))?;
        longest.validator.is_some().then_some(longest)
    }
}

impl Schema {
    /// The prefix of the keys that it is for.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Why a value is bad; none where it fits.
    pub(crate) fn judge(&self, value: &[u8]) -> Option<Vec<Reason>> {
        let validator = self.validator.as_ref()?;
        let whole = |why: String| Some(vec![Reason { at: String::new(), why }]);
        if value.len() > self.value_bytes_max {
            return whole(format!(
                "{} bytes, more than {} that are read as JSON",
                value.len(),
                self.value_bytes_max
            ));
        }
        let value: Value = match serde_json::from_slice(value) {
            Ok(value) => value,
            // Not the error's own text, which can repeat a piece of the value.
            Err(error) => {
                return whole(format!(
                    "not JSON of at most 128 levels, at line {} column {}",
                    error.line(),
                    error.column()
                ));
            }
        };
        if validator.is_valid(&value) {
            return None;
        }
        Some(validator.iter_errors(&value).take(REASONS_MAX).map(|error| reason(&error)).collect())
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.prefix).finish()
    }
}

/// None: `true`, which takes anything.
fn compiled(text: &str) -> Result<Option<Validator>> {
    let schema: Value = serde_json::from_str(text).map_err(|error| {
        Error::invalid(format!("no JSON, at line {} column {}", error.line(), error.column()))
    })?;
    if schema == Value::Bool(true) {
        return Ok(None);
    }
    // Patterns take time linear in the value: whoever writes values must not choose how long a call takes.
    let options = jsonschema::options()
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false);
    let validator = options.build(&schema).map_err(|error| {
        let (at, why) = (error.instance_path().as_str(), error.masked().to_string());
        let (at, why) = (clipped(at, TOLD_BYTES_MAX), clipped(&why, TOLD_BYTES_MAX));
        Error::invalid(format!("no schema that can be used: at `{at}`: {why}"))
    })?;
    Ok(Some(validator))
}

fn reason(error: &ValidationError<'_>) -> Reason {
    let why = match error.kind() {
        // The names are the value's, and where they stand for data, they are data.
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            format!("{} unexpected properties (`{}`)", unexpected.len(), error.kind().keyword())
        }
        ValidationErrorKind::PropertyNames { .. } => "the name of a property (`propertyNames`)".to_owned(),
        ValidationErrorKind::FromUtf8 { .. }
        | ValidationErrorKind::RegexEngineFailure { .. }
        | ValidationErrorKind::Custom { .. } => format!("`{}`", error.kind().keyword()),
        _ => error.masked().to_string(),
    };
    Reason { at: clipped(error.instance_path().as_str(), TOLD_BYTES_MAX), why: clipped(&why, TOLD_BYTES_MAX) }
}

/// A text, cut where it is longer than this many bytes.
pub(crate) fn clipped(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = (0..=bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    format!("{}…", text.get(..end).unwrap_or_default())
}
