//! A small static server on loopback, so that the demo crawls real pages over real HTTP and needs no
//! network.
//!
//! Each file has exactly one address: a folder is answered with a redirect to its `index.html`.

use std::{
    io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Response, StatusCode, Uri, header},
};
use tokio::{net::TcpListener, task::JoinHandle};
use url::Url;

/// A running server. Stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: std::net::SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves the files below `tree` on a free port of loopback.
    pub(crate) async fn start(tree: &Path) -> io::Result<Self> {
        let tree = Arc::new(std::fs::canonicalize(tree)?);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(answer).with_state(tree);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the static server ended");
            }
        });
        Ok(Self { address, task })
    }

    /// The URL of a path on this server.
    pub(crate) fn url(&self, path: &str) -> Result<Url, url::ParseError> {
        Url::parse(&format!("http://{}", self.address))?.join(path)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(tree): State<Arc<PathBuf>>, uri: Uri) -> Response<Body> {
    if uri.path().ends_with('/') {
        let index = format!("{}index.html", uri.path());
        return respond(StatusCode::FOUND, header::LOCATION, &index, Body::empty());
    }
    let Some(file) = file_of(&tree, uri.path()) else { return missing() };
    match tokio::fs::read(&file).await {
        Ok(bytes) => respond(StatusCode::OK, header::CONTENT_TYPE, content_type(&file), Body::from(bytes)),
        Err(_) if file.is_dir() => {
            let index = format!("{}/index.html", uri.path());
            respond(StatusCode::FOUND, header::LOCATION, &index, Body::empty())
        }
        Err(_) => missing(),
    }
}

/// The file that a path names, if it is inside the tree.
fn file_of(tree: &Path, path: &str) -> Option<PathBuf> {
    let decoded = percent_decode(path)?;
    let relative = Path::new(decoded.trim_start_matches('/'));
    let inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
    inside.then(|| tree.join(relative))
}

fn percent_decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let digits = std::str::from_utf8(after.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after.get(2..)?;
    }
    String::from_utf8(bytes).ok()
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        _ => "application/octet-stream",
    }
}

fn missing() -> Response<Body> {
    respond(StatusCode::NOT_FOUND, header::CONTENT_TYPE, "text/plain", Body::from("no such file"))
}

fn respond(status: StatusCode, name: header::HeaderName, value: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Ok(value) = header::HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leaves_the_tree() {
        let tree = Path::new("/tree");
        assert_eq!(file_of(tree, "/a/b.html"), Some(PathBuf::from("/tree/a/b.html")));
        assert_eq!(file_of(tree, "/a%20b.html"), Some(PathBuf::from("/tree/a b.html")));
        for path in ["/../x", "/a/../../x", "/%2e%2e/x", "/a/%2E%2E/x", "/%", "/%zz", "/%ff"] {
            assert_eq!(file_of(tree, path), None, "{path}");
        }
    }
}
