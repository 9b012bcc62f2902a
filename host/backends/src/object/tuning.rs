//! What is larder's own among the options of a remote store: parts, waits, and what is believed of the service.

use std::{collections::BTreeMap, time::Duration};

use larder_core::{Error, Result};

use super::{remote::Conditions, transport::Waits};

/// The usual part, in bytes: with the 10,000 parts that services take, blobs of 73 GB. Besides the parts on their way a writer
/// holds one that waits and one that is being filled, and those two stay below 16 MiB.
const PART_BYTES: usize = 7 << 20;
/// Largest part, in bytes: bounds memory.
const PART_BYTES_MAX: usize = 512 << 20;
/// Parts on their way at once: enough to fill a fast line at 50 ms of latency.
const PARTS_IN_FLIGHT: usize = 4;
/// Most of them: bounds memory.
const PARTS_IN_FLIGHT_MAX: usize = 64;

/// Parts, waits and beliefs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tuning {
    pub(super) part_bytes: usize,
    pub(super) parts_in_flight: usize,
    pub(super) connect_timeout: Duration,
    pub(super) answer_timeout: Duration,
    pub(super) conditions: Conditions,
}

/// The names of the options, as they stand in a URL and in a table.
pub(super) const NAMES: [&str; 5] =
    ["part_size", "parts_in_flight", "connect_timeout", "answer_timeout", "conditions"];

impl Default for Tuning {
    fn default() -> Self {
        let waits = Waits::default();
        Self {
            part_bytes: PART_BYTES,
            parts_in_flight: PARTS_IN_FLIGHT,
            connect_timeout: waits.connect,
            answer_timeout: waits.answer,
            conditions: Conditions::default(),
        }
    }
}

impl Tuning {
    /// Takes what is larder's own out of a service's options.
    ///
    /// # Errors
    /// `config` for a value that is none.
    pub(super) fn take(options: &mut BTreeMap<String, String>) -> Result<Self> {
        let mut tuning = Self::default();
        let [part_size, parts_in_flight, connect, answer, conditions] = NAMES;
        if let Some(value) = options.remove(part_size) {
            tuning.part_bytes = number(&value, &SIZES)
                .and_then(|bytes| usize::try_from(bytes).ok())
                .ok_or_else(|| wrong(part_size, "a size like `8MiB`"))?;
        }
        if let Some(value) = options.remove(parts_in_flight) {
            tuning.parts_in_flight = value.parse().map_err(|_| wrong(parts_in_flight, "a number"))?;
        }
        for (name, wait) in [(connect, &mut tuning.connect_timeout), (answer, &mut tuning.answer_timeout)] {
            if let Some(value) = options.remove(name) {
                let millis =
                    number(&value, &TIMES).ok_or_else(|| wrong(name, "a time like `5s` or `500ms`"))?;
                *wait = Duration::from_millis(millis);
            }
        }
        if let Some(value) = options.remove(conditions) {
            tuning.conditions = match value.as_str() {
                "kept" => Conditions::Kept,
                "ignored" => Conditions::Ignored,
                _ => return Err(wrong(conditions, "`kept` or `ignored`")),
            };
        }
        tuning.check()?;
        Ok(tuning)
    }

    /// # Errors
    /// `config` for what is out of bounds.
    pub(super) fn check(&self) -> Result<()> {
        let [part_size, parts_in_flight, connect, answer, _] = NAMES;
        if self.part_bytes == 0 || self.part_bytes > PART_BYTES_MAX {
            return Err(wrong(part_size, "1 byte to 512 MiB"));
        }
        if self.parts_in_flight == 0 || self.parts_in_flight > PARTS_IN_FLIGHT_MAX {
            return Err(wrong(parts_in_flight, "1 to 64"));
        }
        for (name, wait) in [(connect, self.connect_timeout), (answer, self.answer_timeout)] {
            if wait.is_zero() {
                return Err(wrong(name, "more than 0"));
            }
        }
        Ok(())
    }
}

const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];
const TIMES: [(&str, u64); 4] = [("ms", 1), ("min", 60_000), ("s", 1_000), ("", 1_000)];

/// A whole number with a unit of a table; the last unit of the table needs no name.
fn number(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    units.iter().find_map(|(unit, factor)| {
        let digits = text.strip_suffix(unit)?.trim_end();
        digits.parse::<u64>().ok()?.checked_mul(*factor)
    })
}

fn wrong(name: &str, expected: &str) -> Error {
    Error::config(format!("`{name}`: expected {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(name: &str, value: &str) -> Result<Tuning> {
        let mut options = BTreeMap::from([(name.to_owned(), value.to_owned()), ("other".into(), "x".into())]);
        let tuning = Tuning::take(&mut options);
        assert_eq!(options.len(), 1);
        tuning
    }

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(taken("part_size", "16MiB").unwrap().part_bytes, 16 << 20);
        assert_eq!(taken("part_size", "5242880").unwrap().part_bytes, 5 << 20);
        assert_eq!(taken("connect_timeout", "500ms").unwrap().connect_timeout, Duration::from_millis(500));
        assert_eq!(taken("answer_timeout", "2").unwrap().answer_timeout, Duration::from_secs(2));
        assert_eq!(taken("answer_timeout", "1min").unwrap().answer_timeout, Duration::from_secs(60));
        assert_eq!(taken("parts_in_flight", "8").unwrap().parts_in_flight, 8);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_by_name() {
        for (name, value) in [
            ("part_size", "0"),
            ("part_size", "1TiB"),
            ("part_size", "513MiB"),
            ("parts_in_flight", "0"),
            ("parts_in_flight", "65"),
            ("connect_timeout", "soon"),
            ("answer_timeout", "0s"),
            ("conditions", "perhaps"),
        ] {
            let error = taken(name, value).unwrap_err();
            assert!(error.message().contains(name), "{error}");
        }
    }
}
