//! A server of the loopback that answers by path, well and badly, and remembers what it was asked.

use std::{
    io::{self, BufRead as _, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::pem::PemObject as _};

/// Between two bytes of an answer that drips.
const DRIP: Duration = Duration::from_millis(20);

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The first line and the headers, as they were written.
    pub(super) head: String,
    pub(super) body_bytes: usize,
    /// Whether its body came to its end.
    pub(super) is_whole: bool,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

/// The server; it lives until the process ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Server {
    pub(super) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
}

/// What a server shows of itself: an authority, and a certificate of it for these names.
pub(super) struct Identity {
    pub(super) authority: String,
    config: Arc<ServerConfig>,
}

impl Identity {
    pub(super) fn of(names: &[&str]) -> Self {
        use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "authority of a test");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Self { authority: authority.pem(), config: Arc::new(config) }
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Server {
    pub(super) fn start() -> Self {
        Self::listen(None)
    }

    pub(super) fn start_tls(identity: &Identity) -> Self {
        Self::listen(Some(Arc::clone(&identity.config)))
    }

    fn listen(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), ..Self::default() };
        let serving = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (serving, tls) = (serving.clone(), tls.clone());
                let stream = stream.unwrap();
                serving.connections.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let raw = stream.try_clone().unwrap();
                    let stream: Box<dyn Stream> = match tls {
                        None => Box::new(stream),
                        Some(config) => {
                            Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream))
                        }
                    };
                    // A client that goes away is what many tests are about.
                    drop(serving.serve(BufReader::new(stream), &raw));
                    // The listener's copy would keep the connection open.
                    drop(raw.shutdown(std::net::Shutdown::Both));
                });
            }
        });
        server
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn serve(&self, mut stream: BufReader<Box<dyn Stream>>, raw: &TcpStream) -> io::Result<()> {
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if stream.read_line(&mut head)? == 0 {
                    return Ok(());
                }
            }
            let mut seen = Seen { head, body_bytes: 0, is_whole: false };
            let path = seen.path().to_owned();
            if path != "/early" {
                let read = body(&mut seen, &mut stream);
                seen.is_whole = read.is_ok();
                self.seen.lock().unwrap().push(seen.clone());
                read?;
            }
            answer(&path, &seen, stream.get_mut().as_mut(), raw)?;
        }
    }
}

fn body(seen: &mut Seen, stream: &mut BufReader<Box<dyn Stream>>) -> io::Result<()> {
    let mut take = |bytes: usize, seen: &mut Seen| -> io::Result<()> {
        let mut left = bytes;
        let mut buffer = vec![0; 64 << 10];
        while left > 0 {
            let room = left.min(buffer.len());
            let count = stream.read(buffer.get_mut(..room).unwrap_or_default())?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            seen.body_bytes += count;
            left -= count;
        }
        Ok(())
    };
    if let Some(length) = seen.header("content-length").map(|length| length.parse().unwrap()) {
        return take(length, seen);
    }
    if seen.header("transfer-encoding").is_none() {
        return Ok(());
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let length = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        let mut left = length;
        while left > 0 {
            let count = stream.fill_buf()?.len().min(left);
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            stream.consume(count);
            seen.body_bytes += count;
            left -= count;
        }
        stream.read_line(&mut String::new())?;
        if length == 0 {
            return Ok(());
        }
    }
}

fn answer(path: &str, seen: &Seen, stream: &mut dyn Stream, raw: &TcpStream) -> io::Result<()> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    match path {
        "/to" => {
            let location = query;
            write!(stream, "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
        }
        "/size" => {
            let mut left: usize = query.parse().unwrap();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {left}\r\n\r\n")?;
            while left > 0 {
                let count = left.min(64 << 10);
                stream.write_all(&vec![7; count])?;
                left -= count;
            }
            Ok(())
        }
        "/early" => {
            stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nno!")?;
            // Reads nothing more, and waits for the client to go.
            silent(stream)
        }
        "/cut" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n123")?;
            Err(io::ErrorKind::ConnectionAborted.into())
        }
        "/nonsense" => stream.write_all(b"220 mail.example ESMTP\r\n\r\n"),
        "/headers" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            stream.write_all(format!("x: {}\r\n\r\n", "y".repeat(200_000)).as_bytes())
        }
        "/drip" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")?;
            raw.set_read_timeout(Some(DRIP))?;
            loop {
                stream.write_all(b"x")?;
                // The client says nothing more: this is how long a drop takes, and how its end is seen.
                match stream.read(&mut [0]) {
                    Ok(0) => return Ok(()),
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                    _ => {}
                }
            }
        }
        "/silent" => silent(stream),
        "/stalls" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n123")?;
            silent(stream)
        }
        "/closes" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
            Err(io::ErrorKind::ConnectionAborted.into())
        }
        _ => {
            let text = format!("{} bytes", seen.body_bytes);
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len())
        }
    }?;
    stream.flush()
}

/// Says nothing until the client goes.
fn silent(stream: &mut dyn Stream) -> io::Result<()> {
    while stream.read(&mut [0; 1024])? > 0 {}
    Err(io::ErrorKind::ConnectionAborted.into())
}
