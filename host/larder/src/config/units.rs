//! Durations and sizes as people write them.

use std::time::Duration;

/// Units of time and their milliseconds.
const TIME: [(&str, f64); 5] = [("ms", 1.0), ("s", 1e3), ("m", 60e3), ("h", 3_600e3), ("d", 86_400e3)];

/// Units of size and their bytes.
const SIZE: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// Longest duration in seconds: a thousand years. Longer is a mistake of units.
const SECONDS_MAX: f64 = 1e3 * 365.25 * 86_400.0;

/// What a duration may look like, for errors.
pub(super) const DURATION: &str =
    "a duration, as seconds (3600) or with a unit (\"250ms\", \"30s\", \"5m\", \"2h\", \"1d\")";

/// What a size may look like, for errors.
pub(super) const BYTES: &str = "a size, in bytes (65536) or with a unit (\"64KiB\", \"8MiB\", \"1GB\")";

/// A number of seconds.
pub(super) fn seconds(value: f64) -> Option<Duration> {
    (0.0..=SECONDS_MAX).contains(&value).then(|| Duration::from_secs_f64(value))
}

/// Text such as `30s`, `1.5h` or `3600`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let number: f64 = number.parse().ok()?;
    let millis = match unit {
        "" => 1e3,
        unit => TIME.iter().find(|(name, _)| *name == unit)?.1,
    };
    seconds(number * millis / 1e3)
}

/// Text such as `64MiB` or `65536`.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let number: u64 = number.parse().ok()?;
    let unit = match unit {
        "" => 1,
        unit => SIZE.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1,
    };
    number.checked_mul(unit)
}

/// A duration in the largest unit that it is a whole number of.
pub(crate) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let (name, unit) = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        .into_iter()
        .find(|(_, unit)| millis > 0 && millis.is_multiple_of(*unit))
        .unwrap_or(("ms", 1));
    format!("{} {name}", millis / unit)
}

/// A size in the largest binary unit that it is a whole number of.
pub(crate) fn show_size(bytes: u64) -> String {
    let (name, unit) = SIZE
        .iter()
        .filter(|(name, _)| name.ends_with("iB"))
        .rev()
        .find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit))
        .unwrap_or(&("B", 1));
    format!("{} {name}", bytes / unit)
}

fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (!number.is_empty()).then(|| (number, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_carry_a_unit() {
        for (text, millis) in [
            ("3600", 3_600_000),
            ("30s", 30_000),
            ("5m", 300_000),
            ("250ms", 250),
            ("1.5h", 5_400_000),
            ("2 d", 172_800_000),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "s", "-1", "5 weeks", "1e400", "9999999999999", "5m3s", "."] {
            assert_eq!(duration(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn sizes_are_bytes_or_carry_a_unit() {
        for (text, bytes) in
            [("10", 10), ("64MiB", 64 << 20), ("64mib", 64 << 20), ("1 KB", 1_000), ("7B", 7)]
        {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for bad in ["", "MiB", "-1", "1.5MiB", "99999999999GiB", "1 parsec"] {
            assert_eq!(size(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        for millis in [0, 1, 250, 1_500, 30_000, 86_400_000, 90_000_000] {
            let value = Duration::from_millis(millis);
            assert_eq!(duration(&show_duration(value)), Some(value));
        }
        for bytes in [0, 1, 1_000, 8 << 20, 3 << 30] {
            assert_eq!(size(&show_size(bytes)), Some(bytes));
        }
    }
}
