//! `robots.txt` (RFC 9309): what a site asks crawlers to leave alone.
//!
//! Groups, `Allow` and `Disallow` with `*` and `$`; the longest rule that matches wins, and `Allow`
//! wins a tie. Everything else in the file is passed over.

/// The name that a site's rules can address.
pub(crate) const AGENT: &str = "larder-fetcher";

/// What a site allows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Robots {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    allow: bool,
    pattern: String,
}

impl Robots {
    /// Nothing may be fetched: what RFC 9309 asks for where a site can't say what it allows.
    pub(crate) fn nothing() -> Self {
        Self { rules: vec![Rule { allow: false, pattern: "/".to_owned() }] }
    }

    /// Reads the file. The groups that name us count, else those for everyone.
    pub(crate) fn parse(text: &str) -> Self {
        let (mut ours, mut everyones) = (Vec::new(), Vec::new());
        let (mut is_ours, mut is_everyones, mut named) = (false, false, false);
        let mut in_rules = true;
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let Some((field, value)) = line.split_once(':') else { continue };
            let (field, value) = (field.trim().to_ascii_lowercase(), value.trim());
            match field.as_str() {
                "user-agent" => {
                    if in_rules {
                        (is_ours, is_everyones, in_rules) = (false, false, false);
                    }
                    is_ours |= value.eq_ignore_ascii_case(AGENT);
                    is_everyones |= value == "*";
                    named |= is_ours;
                }
                "allow" | "disallow" => {
                    in_rules = true;
                    if value.is_empty() {
                        continue;
                    }
                    let rule = Rule { allow: field == "allow", pattern: value.to_owned() };
                    if is_ours {
                        ours.push(rule.clone());
                    }
                    if is_everyones {
                        everyones.push(rule);
                    }
                }
                _ => {}
            }
        }
        Self { rules: if named { ours } else { everyones } }
    }

    /// Whether an address may be fetched.
    pub(crate) fn allows(&self, address: &str) -> bool {
        let matching = self.rules.iter().filter(|rule| matches(&rule.pattern, address));
        matching.max_by_key(|rule| (rule.pattern.len(), rule.allow)).is_none_or(|rule| rule.allow)
    }
}

/// Whether a pattern matches the beginning of an address; `*` is any text, a final `$` the end.
fn matches(pattern: &str, address: &str) -> bool {
    let (pattern, to_end) = pattern.strip_suffix('$').map_or((pattern, false), |p| (p, true));
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| address.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return !to_end || rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if to_end && parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_rules_everything_is_allowed() {
        assert!(Robots::parse("").allows("/a"));
        assert!(Robots::parse("User-agent: *\nDisallow:").allows("/a"));
        assert!(!Robots::nothing().allows("/a"));
    }

    #[test]
    fn the_longest_rule_wins() {
        let robots = Robots::parse("User-agent: *\nDisallow: /docs # not these\nAllow: /docs/open\n");
        assert!(!robots.allows("/docs/x"));
        assert!(robots.allows("/docs/open/x"));
        assert!(robots.allows("/"));
    }

    #[test]
    fn rules_for_us_replace_those_for_everyone() {
        let text =
            "User-agent: *\nDisallow: /\n\nUser-agent: other\nUser-agent: Larder-Fetcher\nDisallow: /x";
        let robots = Robots::parse(text);
        assert!(robots.allows("/y"));
        assert!(!robots.allows("/x/1"));
    }

    #[test]
    fn stars_and_ends_are_understood() {
        assert!(matches("/*.php$", "/a/b.php"));
        assert!(!matches("/*.php$", "/a/b.php?x"));
        assert!(matches("/a*c", "/abbbcd"));
        assert!(!matches("/a$", "/ab"));
        assert!(matches("/a*", "/a"));
    }
}
