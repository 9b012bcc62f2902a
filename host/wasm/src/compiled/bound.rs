//! What goes when a folder has more bytes than it may have: what was used longest ago.

use std::io;

use super::{
    entry::SUFFIX,
    folder::{Folder, Item, UNFINISHED},
};

/// After how many seconds an unfinished file is nobody's any more: far longer than writing one takes.
const UNFINISHED_SECONDS_MAX: i64 = 3_600;

/// Holds the folder to its bound. `fresh` was written just now: it stays, and its time is what the clock of the folder says.
pub(super) fn hold(folder: &Folder, bytes_max: u64, fresh: &str) -> io::Result<()> {
    let items = folder.list()?;
    surplus(items, bytes_max, fresh).iter().try_for_each(|name| folder.remove(name, None))
}

fn surplus(mut items: Vec<Item>, bytes_max: u64, fresh: &str) -> Vec<String> {
    let now = items.iter().find(|item| item.name == fresh).map_or(i64::MIN, |item| item.used.0);
    let is_left_over = |item: &Item| {
        item.name.starts_with(UNFINISHED) && now.saturating_sub(item.used.0) > UNFINISHED_SECONDS_MAX
    };
    let mut gone: Vec<String> =
        items.iter().filter(|item| is_left_over(item)).map(|i| i.name.clone()).collect();
    items.retain(|item| item.name.ends_with(SUFFIX));
    items.sort_by_key(|item| item.used);
    let mut bytes: u64 = items.iter().map(|item| item.bytes).sum();
    for item in items.iter().filter(|item| item.name != fresh) {
        if bytes <= bytes_max {
            break;
        }
        bytes -= item.bytes;
        gone.push(item.name.clone());
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, bytes: u64, used: i64) -> Item {
        Item { name: name.to_owned(), bytes, used: (used, 0) }
    }

    #[test]
    fn what_was_used_longest_ago_goes_first_and_what_was_just_written_stays() {
        let items = || vec![item("a.compiled", 4, 3), item("b.compiled", 4, 1), item("c.compiled", 4, 2)];
        assert!(surplus(items(), 12, "a.compiled").is_empty());
        assert_eq!(surplus(items(), 11, "a.compiled"), ["b.compiled"]);
        assert_eq!(surplus(items(), 4, "a.compiled"), ["b.compiled", "c.compiled"]);
        assert_eq!(surplus(items(), 0, "b.compiled"), ["c.compiled", "a.compiled"]);
    }

    #[test]
    fn other_files_stay_and_only_old_unfinished_ones_go() {
        let items = vec![
            item("a.compiled", 4, 10_000),
            item("key", 32, 0),
            item("new-old", 4, 1),
            item("new-young", 4, 9_000),
            item("notes.txt", 1 << 40, 0),
        ];
        assert_eq!(surplus(items, 4, "a.compiled"), ["new-old"]);
    }
}
