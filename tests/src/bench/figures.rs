//! Figures, what they are measured in, and what is asked of them.

use std::fmt;

/// What a figure is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds, of a call.
    Nanos,
    /// Calls, commits or the like per second.
    PerSecond,
    /// Bytes per second.
    BytesPerSecond,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// The unit's name in tables and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nanos => "ns",
            Self::PerSecond => "1/s",
            Self::BytesPerSecond => "B/s",
            Self::Bytes => "B",
        }
    }

    /// A figure with its unit, as a reader likes it.
    pub(super) fn show(self, figure: f64) -> String {
        const SECOND: [(f64, &str); 4] = [(1e9, "s"), (1e6, "ms"), (1e3, "us"), (1.0, "ns")];
        const COUNT: [(f64, &str); 3] = [(1e6, "M/s"), (1e3, "k/s"), (1.0, "/s")];
        const RATE: [(f64, &str); 3] = [(1e9, "GB/s"), (1e6, "MB/s"), (1.0, "B/s")];
        const SIZE: [(f64, &str); 3] = [(1_048_576.0, "MiB"), (1_024.0, "KiB"), (1.0, "B")];
        let scales: &[(f64, &str)] = match self {
            Self::Nanos => &SECOND,
            Self::PerSecond => &COUNT,
            Self::BytesPerSecond => &RATE,
            Self::Bytes => &SIZE,
        };
        let fitting = scales.iter().find(|(scale, _)| figure >= *scale).or(scales.last());
        fitting.map_or_else(String::new, |(scale, unit)| format!("{:.2} {unit}", figure / scale))
    }
}

/// What is asked of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// Ours divided by the baseline is at most this: for costs.
    AtMost(f64),
    /// Ours divided by the baseline is at least this: for throughputs.
    AtLeast(f64),
    /// The baseline divided by ours is at least this: for costs, "so many times faster".
    TimesFaster(f64),
    /// Ours is at most this, in the row's unit, whatever the baseline: for what people wait for.
    Within(f64),
    /// Nothing; the row is there to be seen.
    None,
}

impl Target {
    pub(super) fn ratio(self, value: f64, baseline: f64) -> f64 {
        match self {
            Self::TimesFaster(_) => baseline / value,
            _ => value / baseline,
        }
    }

    pub(super) fn number(self) -> Option<f64> {
        match self {
            Self::AtMost(limit) | Self::AtLeast(limit) | Self::TimesFaster(limit) | Self::Within(limit) => {
                Some(limit)
            }
            Self::None => None,
        }
    }

    fn holds(self, value: f64, ratio: f64) -> bool {
        match self {
            Self::Within(limit) => value <= limit,
            Self::AtMost(limit) => ratio <= limit,
            Self::AtLeast(limit) | Self::TimesFaster(limit) => ratio >= limit,
            Self::None => true,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(f, "<= {limit}"),
            Self::AtLeast(limit) => write!(f, ">= {limit}"),
            Self::TimesFaster(limit) => write!(f, ">= {limit} times faster"),
            Self::Within(limit) => write!(f, "<= {limit} of its unit"),
            Self::None => f.write_str("-"),
        }
    }
}

/// One line of a bench.
#[derive(Debug, Clone)]
pub struct Row {
    pub(super) what: String,
    pub(super) unit: Unit,
    pub(super) value: f64,
    pub(super) baseline: f64,
    pub(super) target: Target,
}

impl Row {
    pub(super) fn new(what: &str, unit: Unit, value: f64, baseline: f64, target: Target) -> Self {
        Self { what: what.to_owned(), unit, value, baseline, target }
    }

    pub(super) fn ratio(&self) -> f64 {
        self.target.ratio(self.value, self.baseline)
    }

    /// The target as a reader likes it.
    pub(super) fn target_shown(&self) -> String {
        match self.target {
            Target::Within(limit) => format!("<= {}", self.unit.show(limit)),
            target => target.to_string(),
        }
    }

    /// Whether the target holds; a ratio that is no number holds nothing.
    pub fn holds(&self) -> bool {
        self.target.holds(self.value, self.ratio())
    }
}

/// The middle one, or the mean of the two in the middle. Of nothing: no number.
pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let at = |index: usize| figures.get(index).copied().unwrap_or(f64::NAN);
    if figures.len() % 2 == 1 { at(middle) } else { f64::midpoint(at(middle.wrapping_sub(1)), at(middle)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(vec![1.0, 2.0, 3.0, 10.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn targets_look_in_their_direction() {
        let row = |value, baseline, target| Row::new("", Unit::Nanos, value, baseline, target);
        assert!(row(13.0, 10.0, Target::AtMost(1.3)).holds());
        assert!(!row(13.1, 10.0, Target::AtMost(1.3)).holds());
        assert!(row(16.0, 10.0, Target::AtLeast(1.6)).holds());
        assert!(row(1.0, 30.0, Target::TimesFaster(30.0)).holds());
        assert!(!row(1.0, 29.0, Target::TimesFaster(30.0)).holds());
    }

    #[test]
    fn a_figure_that_is_no_number_holds_no_target() {
        assert!(!Row::new("", Unit::Nanos, f64::NAN, 1.0, Target::AtMost(2.0)).holds());
        assert!(!Row::new("", Unit::Nanos, 0.0, 0.0, Target::AtLeast(2.0)).holds());
    }

    #[test]
    fn figures_are_shown_in_the_unit_that_fits() {
        assert_eq!(Unit::Nanos.show(1_500.0), "1.50 us");
        assert_eq!(Unit::Bytes.show(33_554_432.0), "32.00 MiB");
        assert_eq!(Unit::BytesPerSecond.show(2e9), "2.00 GB/s");
        assert_eq!(Unit::PerSecond.show(0.0), "0.00 /s");
    }
}
