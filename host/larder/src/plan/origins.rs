//! Grants of HTTP: origins read, headers and authorities put in.

use larder_core::{Error, Result};
use larder_wasm::HttpGrant;

use super::plugins::Reading;
use crate::config::{HttpSection, Text};

pub(super) fn read(reading: &Reading<'_>, sections: &[HttpSection]) -> Result<Vec<HttpGrant>> {
    sections
        .iter()
        .enumerate()
        .map(|(i, section)| grant(reading, section, &format!("grants.http[{i}]")))
        .collect()
}

fn grant(reading: &Reading<'_>, section: &HttpSection, at: &str) -> Result<HttpGrant> {
    // Without references: whoever reads the configuration sees where the plugin can go.
    let mut grant: HttpGrant = section.url.parse().map_err(|error: Error| reading.explain(error, at))?;
    for (name, value) in &section.headers {
        let at = format!("{at}.headers.{name}");
        if !Text(value).is_reference() {
            let message = "expected a text with a reference, such as `Bearer ${TOKEN}` or `file:PATH`: a secret is not \
                           written here, and what is none the plugin sends by itself";
            return Err(reading.refuse(&at, message.to_owned()));
        }
        let value = reading.resolve(value, &at)?;
        grant = grant.with_header(name, &value).map_err(|error| reading.explain(error, &at))?;
    }
    if let Some(file) = &section.ca {
        let at = format!("{at}.ca");
        let file = reading.file(file, &at)?;
        let pem = std::fs::read(&file).map_err(|cause| {
            let message = format!("the authorities can't be read: {}", file.display());
            reading.explain(Error::config(message).caused_by(cause), &at)
        })?;
        grant = grant.with_authorities(&pem).map_err(|error| reading.explain(error, &at))?;
    }
    Ok(grant)
}
