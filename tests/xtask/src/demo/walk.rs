//! Which pages can be reached: a walk over the files themselves, to check the crawler by.
//!
//! It shares nothing with the crawler: no HTTP, no parser library, no store. It reads the tags of a file
//! by the rules that matter for links (comments, scripts and texts hold none), which is enough for the
//! trees that the demo crawls; where it and the crawler disagreed, the demo would fail.

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
};

use url::{Position, Url};

use super::Tree;
use crate::Outcome;

/// Elements whose content is text, whatever it looks like.
const RAW: [&str; 7] = ["script", "style", "textarea", "title", "iframe", "noembed", "xmp"];

/// The pages that links lead to from the first one, within its folder: address and file.
///
/// # Errors
/// A file that can't be read.
pub(super) fn reachable(tree: &Tree) -> Outcome<BTreeMap<String, PathBuf>> {
    let origin = Url::parse("http://tree/").map_err(|error| error.to_string())?;
    let start = origin.join(&tree.start).map_err(|error| format!("{}: {error}", tree.start))?;
    let scope = start.join(".").map_err(|error| error.to_string())?;
    let mut pages = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(url) = queue.pop_front() {
        let in_scope = url.host_str() == scope.host_str() && url.path().starts_with(scope.path());
        let address = url[Position::BeforePath..Position::AfterQuery].to_owned();
        if !in_scope || url.scheme() != "http" || pages.contains_key(&address) {
            continue;
        }
        let Some(file) = file_of(tree, &url) else { continue };
        let html = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        pages.insert(address, file);
        let hrefs = hrefs(&String::from_utf8_lossy(&html));
        queue.extend(hrefs.iter().filter_map(|href| url.join(href).ok()));
    }
    Ok(pages)
}

/// The file of a page; none where there is no such file, or it is no page.
fn file_of(tree: &Tree, url: &Url) -> Option<PathBuf> {
    let mut file = tree.folder.clone();
    file.extend(url.path().split('/').filter(|name| !name.is_empty()));
    if url.path().ends_with('/') {
        file.push("index.html");
    }
    let is_page = file.extension().is_some_and(|extension| extension == "html") && file.is_file();
    is_page.then_some(file)
}

/// The `href` of each `a` and `area` in a page.
fn hrefs(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        if !after.starts_with(|first: char| first.is_ascii_alphabetic()) {
            rest = after;
            continue;
        }
        let (name, attributes, after) = tag(after);
        if name == "a" || name == "area" {
            found.extend(attributes.into_iter().find(|(name, _)| name == "href").map(|(_, value)| value));
        }
        rest = if RAW.contains(&name.as_str()) { after_end_of(&name, after) } else { after };
    }
    found
}

/// Name and attributes of the tag that begins here, and what comes after it.
fn tag(text: &str) -> (String, Vec<(String, String)>, &str) {
    let end = text.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>').unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() || rest.starts_with('>') {
            return (name.to_ascii_lowercase(), attributes, rest.get(1..).unwrap_or_default());
        }
        let end = rest.find(|c: char| c.is_ascii_whitespace() || "/>=".contains(c)).unwrap_or(rest.len());
        // A stray `=` begins a name: taken as one letter, so that the walk goes on.
        let (attribute, after) = rest.split_at(end.max(1));
        let after_blanks = after.trim_start();
        let (value, after) = match after_blanks.strip_prefix('=') {
            None => ("", after),
            Some(value) => attribute_value(value.trim_start()),
        };
        attributes.push((attribute.to_ascii_lowercase(), decoded(value)));
        rest = after;
    }
}

fn attribute_value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(quoted) = text.strip_prefix(quote) {
            return quoted.split_once(quote).unwrap_or((quoted, ""));
        }
    }
    let end = text.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(text.len());
    text.split_at(end)
}

/// What comes after `</name`, in whatever case.
fn after_end_of<'a>(name: &str, text: &'a str) -> &'a str {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("</") {
        if after.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            return after;
        }
        rest = after;
    }
    ""
}

/// The character references that occur in links.
fn decoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        text.push_str(before);
        let reference = after.split_once(';').and_then(|(name, after)| Some((character(name)?, after)));
        match reference {
            Some((character, after)) => {
                text.push(character);
                rest = after;
            }
            None => {
                text.push('&');
                rest = after;
            }
        }
    }
    text + rest
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_and_their_references_decoded() {
        let html = r#"<a class="x" href="a.html">a</a><A HREF = 'b?x=1&amp;y=&#x32;'><area href=c/><a>"#;
        assert_eq!(hrefs(html), ["a.html", "b?x=1&y=2", "c/"]);
    }

    #[test]
    fn what_only_looks_like_a_link_is_none() {
        let html = r#"<!-- <a href="1"> --><script>"<a href='2'>"</script><STYLE><a href=3></style>
            a < b <p title='<a href="4">'><link href="5"></a href="6"><textarea><a href=7></textarea>"#;
        assert!(hrefs(html).is_empty(), "{:?}", hrefs(html));
    }

    #[test]
    fn broken_tags_end_the_walk_of_a_page_and_not_the_walk() {
        for html in ["<", "<a", "<a href", "<a href=", "<a href='x", "<a = href=x>", "<!-- ", "<script>"] {
            hrefs(html);
        }
    }
}
