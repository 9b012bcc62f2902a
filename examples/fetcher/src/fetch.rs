//! One address: fetch it, store it, say what it was and where it leads.

use std::time::Duration;

use larder::{
    Error, Result,
    blobs::{Blobs, WriteOptions},
};
use reqwest::{Client, Response, StatusCode, header};
use url::Url;

use crate::{
    address::Address,
    links::links,
    record::{Kind, Record},
    site::Site,
};

/// Largest page that is stored, in bytes; with 16 fetches in flight this bounds the memory of a crawl.
const PAGE_BYTES_MAX: usize = 16 << 20;

/// How often a page is asked for before it counts as failed.
const TRIES: u32 = 4;

/// The first wait between two tries; each next one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// A fetched address, ready to be committed.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) record: Record,
    pub(crate) links: Vec<Address>,
}

impl Fetched {
    fn nothing(record: Record) -> Self {
        Self { record, links: Vec::new() }
    }
}

/// Why one try gave nothing.
enum Failure {
    /// The site or the way to it: another try may help.
    Site(String),
    /// The store: no other try is made, the crawl ends and can be resumed.
    Store(Error),
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Site(error.to_string())
    }
}

/// Fetches an address and stores its page. A site that fails again and again gives a record of kind
/// `failed`; nothing of a failed try stays in the blob store.
///
/// # Errors
/// Those of the blob store.
///
/// # Cancel safety
/// A dropped future leaves no part of a page behind.
pub(crate) async fn fetch(client: &Client, site: &Site, blobs: &Blobs, address: &Address) -> Result<Fetched> {
    if !site.robots.allows(address.as_str()) {
        return Ok(Fetched::nothing(Record::other(Kind::Skipped)));
    }
    let url = match site.url(address) {
        Ok(url) => url,
        Err(error) => return Ok(Fetched::nothing(Record::failed(error.to_string()))),
    };
    let mut reason = String::new();
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(FIRST_WAIT * 2_u32.pow(attempt - 1)).await;
        }
        match attempt_once(client, site, blobs, address, &url).await {
            Ok(fetched) => return Ok(fetched),
            Err(Failure::Site(why)) => reason = why,
            Err(Failure::Store(error)) => return Err(error),
        }
    }
    Ok(Fetched::nothing(Record::failed(reason)))
}

async fn attempt_once(
    client: &Client,
    site: &Site,
    blobs: &Blobs,
    address: &Address,
    url: &Url,
) -> std::result::Result<Fetched, Failure> {
    let response = client.get(url.clone()).send().await?;
    let status = response.status();
    if status.is_redirection() {
        let target = header_text(&response, header::LOCATION).and_then(|to| url.join(to).ok());
        let links = target.iter().filter_map(|target| site.address_of(target)).collect();
        return Ok(Fetched { record: Record::other(Kind::Redirect), links });
    }
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Failure::Site(format!("the site answered {status}")));
    }
    if !status.is_success() {
        return Ok(Fetched::nothing(Record::other(Kind::Missing)));
    }
    let is_html = header_text(&response, header::CONTENT_TYPE).is_some_and(|t| t.starts_with("text/html"));
    if !is_html {
        return Ok(Fetched::nothing(Record::other(Kind::Skipped)));
    }
    let path = address.blob_path();
    let Some(body) = store(response, blobs, &path).await? else {
        return Ok(Fetched::nothing(Record::failed(format!("larger than {PAGE_BYTES_MAX} bytes"))));
    };
    let bytes = body.len() as u64;
    let links = links_in_scope(site, url.clone(), body).await?;
    Ok(Fetched { record: Record::page(path, bytes), links })
}

/// Streams the body into the blob store and keeps it for the parser. None where it is too large.
async fn store(
    mut response: Response,
    blobs: &Blobs,
    path: &str,
) -> std::result::Result<Option<Vec<u8>>, Failure> {
    let mut body = Vec::new();
    let mut writer =
        blobs.writer(path, WriteOptions::new().content_type("text/html")).await.map_err(Failure::Store)?;
    loop {
        // On an error the writer is dropped, and with it what was written.
        let Some(chunk) = response.chunk().await? else { break };
        if body.len() + chunk.len() > PAGE_BYTES_MAX {
            writer.abort().await.map_err(Failure::Store)?;
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
        writer.write(chunk).await.map_err(Failure::Store)?;
    }
    writer.finish().await.map_err(Failure::Store)?;
    Ok(Some(body))
}

async fn links_in_scope(site: &Site, url: Url, body: Vec<u8>) -> std::result::Result<Vec<Address>, Failure> {
    let parsing = tokio::task::spawn_blocking(move || links(&url, &String::from_utf8_lossy(&body)));
    let found =
        parsing.await.map_err(|error| Failure::Site(format!("the page broke the parser: {error}")))?;
    let mut addresses: Vec<Address> = found.iter().filter_map(|link| site.address_of(link)).collect();
    addresses.sort();
    addresses.dedup();
    Ok(addresses)
}

fn header_text(response: &Response, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}
