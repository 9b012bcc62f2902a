//! Against a listener of this machine.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
};

use super::*;

fn pair(timeouts: Timeouts) -> (TcpStream, std::net::TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = TcpStream::connect("127.0.0.1", port, timeouts).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn bytes_come_and_go_and_the_end_is_seen_before_a_request() {
    let (mut client, mut server) = pair(Timeouts::default());
    client.write_all(b"ping").unwrap();
    let mut bytes = [0; 4];
    server.read_exact(&mut bytes).unwrap();
    assert!(client.is_idle());
    server.write_all(&bytes).unwrap();
    let mut back = [0; 4];
    client.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"ping");
    drop(server);
    assert_eq!(client.read(&mut back).unwrap(), 0);
    assert!(!client.is_idle());
}

#[test]
fn a_wait_that_is_too_long_ends() {
    let (mut client, _server) = pair(Timeouts { wait: Duration::from_millis(10), ..Timeouts::default() });
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[test]
fn nobody_there_is_unavailable_and_not_allowed_is_denied() {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let refused = TcpStream::connect("127.0.0.1", port, Timeouts::default()).unwrap_err();
    assert!(matches!(unreached(&refused), Error::Unavailable(_)), "{refused}");
    assert!(matches!(unreached(&io::ErrorKind::PermissionDenied.into()), Error::Denied(_)));
}
