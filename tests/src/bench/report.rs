//! The table for people and the file for machines.

use std::{fs, io, thread};

use serde_json::{Value, json};

use super::Row;

#[expect(clippy::print_stdout, reason = "the table is what a bench is run for")]
pub(super) fn print(name: &str, rows: &[Row]) {
    let width = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0).max(4);
    println!("{name}");
    println!(
        "  {:width$}  {:>12}  {:>12}  {:>8}  {:20}  holds",
        "what", "ours", "baseline", "ratio", "target"
    );
    for row in rows {
        println!(
            "  {:width$}  {:>12}  {:>12}  {:>8.3}  {:20}  {}",
            row.what,
            row.unit.show(row.value),
            row.unit.show(row.baseline),
            row.ratio(),
            row.target_shown(),
            if row.holds() { "yes" } else { "NO" }
        );
    }
}

#[expect(clippy::print_stderr, reason = "a bench is a command of its own")]
pub(super) fn complain(message: &str) {
    eprintln!("{message}");
}

/// Writes `target/bench/NAME.json`.
pub(super) fn write(name: &str, rows: &[Row]) -> io::Result<()> {
    let folder = crate::workspace_root().join("target").join("bench");
    fs::create_dir_all(&folder)?;
    let text = serde_json::to_string_pretty(&document(name, rows))?;
    fs::write(folder.join(format!("{name}.json")), text + "\n")
}

fn document(name: &str, rows: &[Row]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "what": row.what,
                "value": row.value,
                "unit": row.unit.as_str(),
                "baseline": row.baseline,
                "ratio": row.ratio(),
                "target": row.target.number(),
                "holds": row.holds(),
            })
        })
        .collect();
    json!({ "name": name, "machine": machine(), "rows": rows })
}

/// What the figures depend on, and nothing that names the machine.
fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, model)| model.trim());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {cores} cores, {} {}", std::env::consts::OS, std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Target, Unit};

    #[test]
    fn the_file_has_the_agreed_shape() {
        let row = Row::new("get", Unit::Nanos, 12.0, 10.0, Target::AtMost(1.3));
        let document = document("plugin-call", &[row]);
        let keys = |value: &Value| -> Vec<String> {
            value
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect()
        };
        assert_eq!(keys(&document), ["machine", "name", "rows"]);
        let row = &document["rows"][0];
        assert_eq!(keys(row), ["baseline", "holds", "ratio", "target", "unit", "value", "what"]);
        assert_eq!(row["ratio"], 1.2);
        assert_eq!(row["holds"], true);
    }
}
