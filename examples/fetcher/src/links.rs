//! The links of a page, by html5ever's tokenizer: the rules that browsers go by, without a tree.

use std::cell::RefCell;

use html5ever::{
    TokenizerResult,
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::RawKind,
    },
};
use url::Url;

/// What the links of a page lead to, resolved against its URL (or its `<base>`), in the order of the
/// page. Links that are no URL lead nowhere and are left out.
///
/// Takes milliseconds for a large page: call it where blocking is allowed.
pub(crate) fn links(page: &Url, html: &str) -> Vec<Url> {
    let Hrefs { base, anchors } = hrefs(html);
    let base = base.and_then(|href| page.join(&href).ok());
    let base = base.as_ref().unwrap_or(page);
    anchors.iter().filter_map(|href| base.join(href).ok()).collect()
}

/// What the tags of a page say, undecided what it means.
#[derive(Default)]
struct Hrefs {
    /// Of the first `<base>`.
    base: Option<String>,
    /// Of each `<a>` and `<area>`.
    anchors: Vec<String>,
}

fn hrefs(html: &str) -> Hrefs {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let tokenizer = Tokenizer::new(Collector::default(), TokenizerOpts::default());
    // It stops after each script, for those who run scripts.
    while let TokenizerResult::Script(()) = tokenizer.feed(&input) {}
    tokenizer.end();
    tokenizer.sink.0.into_inner()
}

/// Reads the tags as they come.
#[derive(Default)]
struct Collector(RefCell<Hrefs>);

impl TokenSink for Collector {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let Token::TagToken(tag) = token else { return TokenSinkResult::Continue };
        if tag.kind == TagKind::EndTag {
            return TokenSinkResult::Continue;
        }
        let mut hrefs = self.0.borrow_mut();
        match &*tag.name {
            "a" | "area" => hrefs.anchors.extend(href(&tag)),
            "base" if hrefs.base.is_none() => hrefs.base = href(&tag),
            // Whether what follows is text, the one who builds the tree would say: that is us.
            "title" | "textarea" => return TokenSinkResult::RawData(RawKind::Rcdata),
            "style" | "xmp" | "iframe" | "noembed" | "noframes" => {
                return TokenSinkResult::RawData(RawKind::Rawtext);
            }
            "script" => return TokenSinkResult::RawData(RawKind::ScriptData),
            "plaintext" => return TokenSinkResult::Plaintext,
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

fn href(tag: &Tag) -> Option<String> {
    let attribute = tag.attrs.iter().find(|attribute| &*attribute.name.local == "href")?;
    Some(attribute.value.trim_ascii().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(html: &str) -> Vec<String> {
        let page = Url::parse("http://site/docs/index.html").unwrap();
        links(&page, html).into_iter().map(String::from).collect()
    }

    #[test]
    fn links_are_resolved_against_the_page_and_their_entities_decoded() {
        let html = r#"<p><a href="a.html">a</a><a href=/b>b</a><a href='?x=1&amp;y=2'>c</a><a>no link</a>"#;
        assert_eq!(
            found(html),
            ["http://site/docs/a.html", "http://site/b", "http://site/docs/index.html?x=1&y=2"]
        );
    }

    #[test]
    fn what_only_looks_like_a_link_is_none() {
        let html = r#"<!-- <a href="no1"> --><script>"<a href='no2'>"</script>
            <textarea><a href="no3"></textarea><a href="http://[bad">x</a><a href="yes">"#;
        assert_eq!(found(html), ["http://site/docs/yes"]);
    }

    #[test]
    fn a_base_element_moves_them_all() {
        assert_eq!(found(r#"<base href="/other/"><a href="a">"#), ["http://site/other/a"]);
    }
}
