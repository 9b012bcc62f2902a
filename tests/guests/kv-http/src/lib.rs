//! A key-value backend that sends by HTTP what a key says, for tests of what the host lets it do.
//!
//! | key | meaning |
//! |---|---|
//! | `get URL` | the status and the body |
//! | `ask METHOD URL` | the same with another method |
//! | `follow URL` | the same, after redirects that the guest follows with its own request |
//! | `put URL BYTES` | sends a body of so many bytes in pieces |
//! | `with NAME VALUE URL` | a header besides; `\r` and `\n` in the value are what they stand for |
//! | `large URL BYTES` | a header of so many bytes |
//! | `hoard URL` | begins requests until it can't, and answers how many |
//! | `vanish URL` | begins a body, and traps |
//! | `break-off URL` | begins a body, and drops it |
//! | `look` | all that it knows: its settings, its environment |
//!
//! A failure is the SDK's own error.

use larder_sdk::http::{Client, Failure, Method, Request, Response, Url};
use larder_sdk::kv::{self, Check, Description, Entry, Features, KvBackend, Outcome, Write};
use larder_sdk::{Error, Result, Settings, export_kv_backend};

/// Most of a body that is answered.
const BODY_BYTES_MAX: usize = 128 << 20;
/// Most redirects that are followed.
const REDIRECTS_MAX: usize = 4;

/// The plugin.
#[derive(Debug)]
pub struct KvHttp {
    client: Client,
    settings: String,
}

impl KvBackend for KvHttp {
    fn configure(mut settings: Settings) -> Result<Self> {
        let given = settings.take("given").unwrap_or_default();
        settings.finish().map(|()| Self { client: Client::new(), settings: given })
    }

    fn describe(&self) -> Description {
        kv::description(Features::empty())
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        let value = self.act(key).map_err(Failure::of_read)?.into_bytes();
        Ok(Some(Entry { value, version: 0, expires_in_ms: None }))
    }

    fn commit(&mut self, _checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        // The same as a write, of which a failure may leave in doubt whether it was done.
        let mut one =
            |write: Write| self.act(&write.key).map(|_| Outcome::Written(0)).map_err(Failure::of_write);
        writes.into_iter().map(&mut one).collect::<Result<_, Error>>()
    }
}

impl KvHttp {
    fn act(&mut self, key: &str) -> Result<String, Failure> {
        let words: Vec<&str> = key.split(' ').collect();
        let get = |url: &str| Request::new(Method::GET, url);
        match words[..] {
            ["get", url] => shown(self.client.send(get(url))?),
            ["ask", "TRACE", url] => shown(self.client.send(Request::new(Method::of("TRACE"), url))?),
            ["ask", "CONNECT", url] => shown(self.client.send(Request::new(Method::of("CONNECT"), url))?),
            ["follow", url] => self.follow(url),
            ["put", url, bytes] => self.put(url, number(bytes)),
            ["with", name, value, url] => {
                let value = value.replace("\\r", "\r").replace("\\n", "\n");
                shown(self.client.send(get(url).header(name, value))?)
            }
            ["large", url, bytes] => {
                shown(self.client.send(get(url).header("x-large", "x".repeat(number(bytes))))?)
            }
            ["hoard", url] => self.hoard(url),
            ["vanish", url] => {
                let mut upload = self.client.begin(Request::new(Method::PUT, url), None)?;
                upload.write(&[7; 100_000])?;
                trap()
            }
            ["break-off", url] => {
                let mut upload = self.client.begin(Request::new(Method::PUT, url), None)?;
                upload.write(&[7; 100_000])?;
                drop(upload);
                Ok("broken off".to_owned())
            }
            ["look"] => {
                let environment: Vec<String> = std::env::vars().map(|(k, v)| format!("{k}={v}")).collect();
                Ok(format!("{} {}", self.settings, environment.join(" ")))
            }
            _ => Err(Failure::unsent(larder_sdk::http::Cause::Invalid, "no such deed")),
        }
    }

    fn follow(&mut self, url: &str) -> Result<String, Failure> {
        let mut url: Url = url.parse()?;
        for _ in 0..REDIRECTS_MAX {
            let response = self.client.send(Request::new(Method::GET, url.to_string()))?;
            match response.header("location") {
                None => return shown(response),
                Some(to) if to.starts_with('/') => url = url.with_path(to),
                Some(to) => url = to.parse()?,
            }
        }
        Ok("too many redirects".to_owned())
    }

    fn put(&mut self, url: &str, bytes: usize) -> Result<String, Failure> {
        let mut upload = self.client.begin(Request::new(Method::PUT, url), Some(bytes as u64))?;
        let piece = vec![7; 64 << 10];
        let mut rest = bytes;
        while rest > 0 {
            let count = rest.min(piece.len());
            upload.write(piece.get(..count).unwrap_or_default())?;
            rest -= count;
        }
        shown(upload.finish()?)
    }

    fn hoard(&mut self, url: &str) -> Result<String, Failure> {
        let mut all = Vec::new();
        loop {
            match self.client.send(Request::new(Method::GET, url)) {
                Ok(response) => all.push(response),
                Err(failure) => return Ok(format!("{} then {failure}", all.len())),
            }
        }
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_default()
}

fn trap() -> ! {
    std::process::abort()
}

fn shown(mut response: Response) -> Result<String, Failure> {
    let status = response.status();
    let body = response.bytes(BODY_BYTES_MAX)?;
    if body.len() > 1024 {
        return Ok(format!("{status} {} bytes", body.len()));
    }
    Ok(format!("{status} {}", String::from_utf8_lossy(&body)))
}

larder_sdk::wants!("http http://127.0.0.1:1 to see what it may", "http setting:given to see more");
export_kv_backend!(KvHttp);
