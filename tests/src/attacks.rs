//! The table of attacks: what `cargo xtask test plugins` ends with, also in `target/attacks.json`.
//!
//! An [`Attack`] is one row. It counts as failed from its beginning until it says that it held, so an attack that
//! crashes the test, hangs it or gets where it must not shows. A row that is expected and not there has failed, too.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, io,
    path::PathBuf,
};

use larder_core::Error;
use serde_json::{Value, json};

mod rows;

pub use rows::ATTACKS;

const HELD: &str = "held";
const FAILED: &str = "failed";

/// One attack, being tried.
#[derive(Debug)]
pub struct Attack {
    name: &'static str,
    kinds: BTreeSet<&'static str>,
}

impl Attack {
    /// Begins an attack, which has failed until it says otherwise.
    ///
    /// # Panics
    /// Where the table has no such row, or it can't be written.
    pub fn begin(name: &'static str) -> Self {
        assert!(ATTACKS.iter().any(|(known, _)| *known == name), "the table of attacks has no row {name:?}");
        let attack = Self { name, kinds: BTreeSet::new() };
        attack.write(FAILED);
        attack
    }

    /// Takes note of how the host reported it.
    pub fn reported(&mut self, error: &Error) {
        self.kinds.insert(error.kind().as_str());
    }

    /// Ends an attack after which the host was as before, and nothing was reached. One that was reported nowhere was
    /// contained: it got nothing, and was told so.
    ///
    /// # Panics
    /// Where the row can't be written.
    pub fn held(self) {
        self.write(HELD);
    }

    /// Ends an attack that was reported once.
    ///
    /// # Panics
    /// As [`Attack::held`].
    pub fn held_with(mut self, error: &Error) {
        self.reported(error);
        self.held();
    }

    fn write(&self, outcome: &str) {
        let row = json!({ "attack": self.name, "outcome": outcome, "kinds": self.kinds });
        let folder = folder();
        fs::create_dir_all(&folder).expect("the table's folder can be made");
        let name: String =
            self.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        fs::write(folder.join(format!("{name}.json")), row.to_string()).expect("a row can be written");
    }
}

/// Where the rows are.
fn folder() -> PathBuf {
    crate::workspace_root().join("target").join("attacks")
}

/// The rows of all attacks.
#[derive(Debug)]
pub struct Table {
    rows: BTreeMap<String, Value>,
}

impl Table {
    /// Reads every row, and writes all of them to `target/attacks.json`.
    ///
    /// # Errors
    /// What the file system says, and a file among the rows that is none.
    pub fn collect() -> io::Result<Self> {
        let mut rows = BTreeMap::new();
        for entry in fs::read_dir(folder())? {
            let path = entry?.path();
            let row: Value = serde_json::from_slice(&fs::read(&path)?)?;
            let Some(attack) = row.get("attack").and_then(Value::as_str) else {
                return Err(io::Error::other(format!("{} is no row", path.display())));
            };
            rows.insert(attack.to_owned(), row.clone());
        }
        let table = Self { rows };
        let all: Vec<Value> = ATTACKS.iter().map(|(attack, how)| table.row(attack, how)).collect();
        let json = json!({ "attacks": all, "holds": table.holds() });
        fs::write(folder().with_extension("json"), serde_json::to_vec_pretty(&json)?)?;
        Ok(table)
    }

    /// Whether every attack was tried, and none got anywhere.
    pub fn holds(&self) -> bool {
        ATTACKS.iter().all(|(attack, _)| self.outcome(attack) == HELD)
    }

    fn row(&self, attack: &str, how: &str) -> Value {
        json!({ "attack": attack, "how": how, "outcome": self.outcome(attack), "kinds": self.kinds(attack) })
    }

    fn outcome(&self, attack: &str) -> &str {
        let row = self.rows.get(attack);
        row.map_or("MISSING", |row| row.get("outcome").and_then(Value::as_str).unwrap_or(FAILED))
    }

    fn kinds(&self, attack: &str) -> String {
        let kinds = self.rows.get(attack).and_then(|row| row.get("kinds")).and_then(Value::as_array);
        let kinds: Vec<&str> = kinds.into_iter().flatten().filter_map(Value::as_str).collect();
        if kinds.is_empty() { "contained".to_owned() } else { kinds.join(", ") }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let first = width(&mut ATTACKS.iter().map(|(attack, _)| attack.chars().count()));
        let second = width(&mut ATTACKS.iter().map(|(_, how)| how.chars().count()));
        writeln!(f, "{:<first$}  {:<second$}  {:<7}  reported as", "attack", "how", "outcome")?;
        for (attack, how) in ATTACKS {
            let outcome = match self.outcome(attack) {
                HELD => HELD,
                FAILED => "FAILED",
                other => other,
            };
            let kinds = if outcome == HELD { self.kinds(attack) } else { String::new() };
            writeln!(f, "{attack:<first$}  {how:<second$}  {outcome:<7}  {kinds}")?;
        }
        let held = ATTACKS.iter().filter(|(attack, _)| self.outcome(attack) == HELD).count();
        let verdict = if self.holds() { "none crashes, hangs or escapes" } else { "THE HOST IS NOT SAFE" };
        writeln!(f, "{} attacks, {held} held: {verdict}", ATTACKS.len())
    }
}
