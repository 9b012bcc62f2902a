//! The site that is crawled: where it is, what belongs to it, what it allows.

use reqwest::Client;
use url::Url;

use crate::{address::Address, robots::Robots};

/// A site. What belongs to it: the same scheme, host and port, and the folder of the first page.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    origin: Url,
    scope: String,
    name: String,
    pub(crate) robots: Robots,
}

impl Site {
    /// The site around a first page. `name` tells one crawl from another in the store.
    pub(crate) fn new(start: &Url, name: String, robots: Robots) -> Self {
        let folder = start.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        let scope = format!("{folder}/");
        Self { origin: start.clone(), scope, name, robots }
    }

    /// Which crawl this is, for the store.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The URL of an address.
    ///
    /// # Errors
    /// Where the address, as it was stored, makes no URL.
    pub(crate) fn url(&self, address: &Address) -> Result<Url, url::ParseError> {
        // Set, not joined: `//x` is an address, and joined it would name another host.
        let mut url = self.origin.clone();
        let (path, query) =
            address.as_str().split_once('?').map_or((address.as_str(), None), |(p, q)| (p, Some(q)));
        url.set_path(path);
        url.set_query(query);
        url.set_fragment(None);
        Ok(url)
    }

    /// The address of a URL, where it belongs to the site.
    pub(crate) fn address_of(&self, url: &Url) -> Option<Address> {
        let belongs = url.origin() == self.origin.origin() && url.path().starts_with(&self.scope);
        belongs.then(|| Address::of(url)).filter(|address| !address.is_too_long())
    }
}

/// Reads a site's `robots.txt`. Without one everything is allowed; if the site can't tell, nothing is
/// (RFC 9309, section 2.3.1).
///
/// # Errors
/// The client's, where the site does not answer at all.
pub(crate) async fn robots(client: &Client, start: &Url) -> Result<Robots, reqwest::Error> {
    let Ok(url) = start.join("/robots.txt") else { return Ok(Robots::default()) };
    let response = client.get(url).send().await?;
    if response.status().is_server_error() {
        return Ok(Robots::nothing());
    }
    if !response.status().is_success() {
        return Ok(Robots::default());
    }
    Ok(Robots::parse(&response.text().await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        let start = Url::parse("http://host:8000/docs/index.html").unwrap();
        Site::new(&start, "test".to_owned(), Robots::default())
    }

    fn address(url: &str) -> Option<String> {
        site().address_of(&Url::parse(url).unwrap()).map(|address| address.to_string())
    }

    #[test]
    fn only_the_same_host_and_folder_belong_to_the_site() {
        assert_eq!(address("http://host:8000/docs/a/b.html#x").as_deref(), Some("/docs/a/b.html"));
        assert_eq!(address("http://host:8000/other.html"), None);
        assert_eq!(address("http://host:8000/docs"), None);
        assert_eq!(address("https://host:8000/docs/a.html"), None);
        assert_eq!(address("http://host/docs/a.html"), None);
        assert_eq!(address("http://elsewhere:8000/docs/a.html"), None);
        assert_eq!(address("mailto:someone"), None);
    }

    #[test]
    fn an_address_becomes_the_url_that_it_came_from() {
        for text in
            ["http://host:8000/docs/a.html?x=1", "http://host:8000/docs//a%20b/", "http://host:8000//docs/"]
        {
            let url = Url::parse(text).unwrap();
            assert_eq!(site().url(&Address::of(&url)).unwrap().as_str(), text);
        }
    }
}
