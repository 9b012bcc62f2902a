//! Which keys there are, and that no two of them are one.

use std::collections::BTreeSet;

use larder_core::{Capabilities, KeyRange};

use crate::kv::{
    case::{Group, Verdict, case, same},
    stage::Stage,
};

pub(super) const GROUP: Group = Group {
    feature: "keys",
    needs: Capabilities::empty(),
    cases: &[
        case("every awkward key is a key of its own", |s| Box::pin(awkward(s))),
        case("keys that begin with each other are different keys", |s| Box::pin(prefixes(s))),
        case("keys differ by case, blanks and normalisation", |s| Box::pin(nearly_equal(s))),
        case("the longest key is a key, and so is its neighbour", |s| Box::pin(longest(s))),
        case("deleting a key leaves those that begin with it", |s| Box::pin(delete_prefix(s))),
        case("keys are ordered by their bytes", |s| Box::pin(order(s))).needs(Capabilities::SCAN),
    ],
};

/// Keys that some store has once got wrong: by splicing them into a query, a path or a pattern, by
/// splitting, trimming or normalising them, or by storing them as UTF-16 or as C strings.
const AWKWARD: &[&str] = &[
    " ",
    "\0",
    "a\0b",
    "a\0",
    "\n",
    "\t",
    "'",
    "\"",
    "`",
    "it's; DROP TABLE kv; --",
    "\\",
    "\\x00",
    "%",
    "%00",
    "%2F",
    "_",
    "*",
    "?",
    "[a-z]",
    "a*",
    "$1",
    "${HOME}",
    "{a}",
    "(",
    ".",
    "..",
    "../..",
    "/",
    "//",
    "/etc/passwd",
    "a/b",
    "a_b",
    "a//b",
    "a/",
    "a\\b",
    ":",
    "::",
    "ns:",
    "ns:key",
    "ns::key",
    "CON",
    "nul.txt",
    "-rf",
    "--",
    "NULL",
    "null",
    "true",
    "0",
    "00",
    "-1",
    "https://example.org/a?b=c&d=%20e#f",
    "https://example.org/a?b=c&d=%20e",
    "https://example.org/",
    "https://example.org",
    "grüße",
    "日本語",
    "\u{7f}",
    "\u{80}",
    "\u{7ff}",
    "\u{800}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{feff}",
    "\u{ffff}",
    "\u{10000}",
    "\u{1f600}",
    "\u{10ffff}",
    "\u{202e}abc",
    "a\u{301}",
];

async fn awkward(s: &Stage) -> Verdict {
    are_distinct(s, AWKWARD).await
}

async fn prefixes(s: &Stage) -> Verdict {
    let names: Vec<String> = (1..=40).map(|n| "p".repeat(n)).collect();
    are_distinct(s, &names.iter().map(String::as_str).collect::<Vec<_>>()).await
}

async fn nearly_equal(s: &Stage) -> Verdict {
    are_distinct(
        s,
        &[
            "key",
            "Key",
            "KEY",
            " key",
            "key ",
            "key\n",
            "ke\u{301}y",
            "k\u{e9}y",
            "kéy\u{200b}",
            "ß",
            "ss",
            "ſ",
        ],
    )
    .await
}

/// Puts each name with a value of its own, and finds each value under its name alone.
async fn are_distinct(s: &Stage, names: &[&str]) -> Verdict {
    for (i, name) in names.iter().enumerate() {
        s.put(name, format!("{i} {name}")).await?;
    }
    for (i, name) in names.iter().enumerate() {
        s.holds(name, format!("{i} {name}")).await?;
    }
    for name in names.iter().step_by(2) {
        same(&format!("deleting {name:?}"), s.delete(name).await?, true)?;
    }
    for (i, name) in names.iter().enumerate() {
        match i.is_multiple_of(2) {
            true => s.is_gone(name).await?,
            false => s.holds(name, format!("{i} {name}")).await?,
        }
    }
    Ok(())
}

async fn longest(s: &Stage) -> Verdict {
    let most = s.description.key_bytes_max;
    let long = format!("{}é", "k".repeat(most - 2));
    let twin = format!("{}è", "k".repeat(most - 2));
    let shorter = "k".repeat(most - 1);
    are_distinct(s, &[&long, &twin, &shorter]).await?;
    let url = format!("https://example.org/{}", "p/".repeat((most - 20) / 2));
    s.put(&url, "1").await?;
    s.holds(&url, "1").await
}

async fn delete_prefix(s: &Stage) -> Verdict {
    for name in ["user", "user:1", "user:12", "user:1:name", "users"] {
        s.put(name, name.to_owned()).await?;
    }
    s.delete("user:1").await?;
    s.delete("user").await?;
    for name in ["user:12", "user:1:name", "users"] {
        s.holds(name, name).await?;
    }
    s.is_gone("user:1").await
}

async fn order(s: &Stage) -> Verdict {
    let sorted: BTreeSet<&str> =
        AWKWARD.iter().copied().chain(["A", "a", "aa", "B", "b", "é", "z"]).collect();
    // Written from both ends, so that the order of writing is no help.
    let names: Vec<&str> = sorted.iter().copied().collect();
    let (low, high) = names.split_at(names.len() / 2);
    for name in high.iter().chain(low.iter().rev()) {
        s.put(name, "1").await?;
    }
    let got = s.names(KeyRange::all()).await?;
    same("the keys in order", got, names.iter().map(|name| (*name).to_owned()).collect())
}
