//! The proxy in front of a server that answers each byte with one of its own.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};

use super::*;

/// Longer than anything here takes.
const HANGS: Duration = Duration::from_secs(30);
/// Of a wire that stalls in these tests.
const STALL: Duration = Duration::from_millis(300);

/// A server that tells what it has got, and answers every byte with the next one in the alphabet.
struct Server {
    address: SocketAddr,
    got: mpsc::UnboundedReceiver<Got>,
    _task: tokio::task::JoinSet<()>,
}

#[derive(Debug, PartialEq, Eq)]
enum Got {
    Bytes(Vec<u8>),
    /// A connection's end, and everything it brought.
    End(Vec<u8>),
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, got) = mpsc::unbounded_channel();
        let mut task = tokio::task::JoinSet::new();
        task.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let tell = tell.clone();
                tokio::spawn(async move {
                    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
                    while let Ok(read) = stream.read(&mut buffer).await {
                        if read == 0 {
                            break;
                        }
                        all.extend_from_slice(&buffer[..read]);
                        // Fails only where the test has gone, and then nobody wants to know.
                        tell.send(Got::Bytes(buffer[..read].to_vec())).ok();
                        let answer: Vec<u8> = buffer[..read].iter().map(|byte| byte + 1).collect();
                        if stream.write_all(&answer).await.is_err() {
                            break;
                        }
                    }
                    // Fails only where the test has gone, and then nobody wants to know.
                    tell.send(Got::End(all)).ok();
                });
            }
        });
        Self { address, got, _task: task }
    }

    /// All that the next connection to end has brought.
    async fn end(&mut self) -> Vec<u8> {
        loop {
            if let Got::End(all) = timeout(HANGS, self.got.recv()).await.unwrap().unwrap() {
                return all;
            }
        }
    }
}

async fn pair() -> (Server, Proxy) {
    let server = Server::start().await;
    let proxy = Proxy::start(server.address).await.unwrap();
    (server, proxy)
}

async fn client(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

/// Sends, and reads as many bytes.
async fn asked(client: &mut TcpStream, text: &[u8]) -> io::Result<Vec<u8>> {
    client.write_all(text).await?;
    let mut answer = vec![0; text.len()];
    timeout(HANGS, client.read_exact(&mut answer)).await.expect("no hang")?;
    Ok(answer)
}

/// Everything until the connection ends, and how it ended.
async fn rest(client: &mut TcpStream) -> (Vec<u8>, io::Result<()>) {
    let mut all = Vec::new();
    let end = timeout(HANGS, client.read_to_end(&mut all)).await.expect("no hang").map(drop);
    (all, end)
}

#[tokio::test]
async fn what_is_sent_arrives_both_ways_and_a_half_that_closes_is_passed_on() {
    let (mut server, proxy) = pair().await;
    let mut one = client(&proxy).await;
    assert_eq!(asked(&mut one, b"abc").await.unwrap(), b"bcd");
    // Far more than is on its way at once.
    let large: Vec<u8> = (0..8 << 20).map(|i: u32| (i % 251) as u8).collect();
    let (mut from, mut to) = one.split();
    let (sent, received) = tokio::join!(async { to.write_all(&large).await.map(|()| to) }, async {
        let mut received = vec![0; large.len()];
        from.read_exact(&mut received).await.map(|_| received)
    });
    assert!(received.unwrap().iter().zip(&large).all(|(got, sent)| *got == sent + 1));
    sent.unwrap().shutdown().await.unwrap();
    assert_eq!(server.end().await.len(), 3 + large.len());
    assert_eq!(proxy.passed(Way::Request), proxy.passed(Way::Reply));
    assert!(rest(&mut one).await.1.is_ok());
}

#[tokio::test]
async fn a_request_is_cut_after_the_bytes_that_were_named() {
    let (mut server, proxy) = pair().await;
    let mut one = client(&proxy).await;
    assert_eq!(asked(&mut one, b"before").await.unwrap(), b"cfgpsf");
    let cut = proxy.cut_after(Way::Request, 4);
    one.write_all(b"ab").await.unwrap();
    one.write_all(b"cdefgh").await.unwrap();
    timeout(HANGS, cut.happened()).await.unwrap();
    assert_eq!(server.end().await, b"beforeabcd", "so much has the server got, and no more");
    let error = rest(&mut one).await.1.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    // Once: the next connection is whole.
    assert_eq!(asked(&mut client(&proxy).await, b"abcdefgh").await.unwrap(), b"bcdefghi");
}

#[tokio::test]
async fn a_reply_is_cut_and_the_server_has_done_its_work() {
    for bytes in [0, 3] {
        let (mut server, proxy) = pair().await;
        let mut one = client(&proxy).await;
        let cut = proxy.cut_after(Way::Reply, bytes);
        one.write_all(b"abcdef").await.unwrap();
        timeout(HANGS, cut.happened()).await.unwrap();
        let (got, end) = rest(&mut one).await;
        assert_eq!((got.as_slice(), end.is_ok()), (&b"bcdefg"[..bytes as usize], true));
        assert_eq!(server.end().await, b"abcdef");
    }
}

#[tokio::test]
async fn of_many_connections_one_is_cut() {
    let (_server, proxy) = pair().await;
    let mut clients = [client(&proxy).await, client(&proxy).await, client(&proxy).await];
    let cut = proxy.cut_after(Way::Request, 2);
    for client in &mut clients {
        client.write_all(b"ab").await.unwrap();
    }
    clients[1].write_all(b"c").await.unwrap();
    timeout(HANGS, cut.happened()).await.unwrap();
    assert!(rest(&mut clients[1]).await.1.is_err());
    for spared in [0, 2] {
        let mut answer = [0; 2];
        clients[spared].read_exact(&mut answer).await.unwrap();
        assert_eq!(asked(&mut clients[spared], b"cd").await.unwrap(), b"de");
    }
}

#[tokio::test]
async fn all_connections_are_cut_at_once_and_the_next_one_is_whole() {
    let (_server, proxy) = pair().await;
    let mut clients = [client(&proxy).await, client(&proxy).await];
    for client in &mut clients {
        asked(client, b"a").await.unwrap();
    }
    assert_eq!(proxy.open(), 2);
    proxy.cut_all();
    for client in &mut clients {
        assert!(rest(client).await.1.is_err());
    }
    assert_eq!(asked(&mut client(&proxy).await, b"a").await.unwrap(), b"b");
    assert_eq!(proxy.accepted(), 3);
}

#[tokio::test]
async fn a_stall_holds_back_one_way_for_its_time_and_loses_nothing() {
    for way in [Way::Request, Way::Reply] {
        let (_server, proxy) = pair().await;
        let mut one = client(&proxy).await;
        asked(&mut one, b"a").await.unwrap();
        let from = Instant::now();
        proxy.stall(way, STALL);
        assert_eq!(asked(&mut one, b"abc").await.unwrap(), b"bcd");
        let took = from.elapsed();
        assert!(took >= STALL, "{way:?}: {took:?}");
        let other = if way == Way::Request { Way::Reply } else { Way::Request };
        assert_eq!(proxy.passed(other), 4);
    }
}

#[tokio::test]
async fn healing_ends_a_stall_and_a_cut_that_has_not_come() {
    let (mut server, proxy) = pair().await;
    let mut one = client(&proxy).await;
    asked(&mut one, b"a").await.unwrap();
    assert_eq!(server.got.recv().await.unwrap(), Got::Bytes(b"a".to_vec()));
    proxy.stall(Way::Request, HANGS * 100);
    let _cut = proxy.cut_after(Way::Reply, 0);
    one.write_all(b"abc").await.unwrap();
    tokio::task::yield_now().await;
    assert!(server.got.try_recv().is_err(), "nothing goes through a wire that stalls");
    proxy.heal();
    let mut answer = [0; 3];
    timeout(HANGS, one.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"bcd");
}

#[tokio::test]
async fn a_slow_wire_takes_the_time_that_its_speed_and_its_length_say() {
    let (_server, proxy) = pair().await;
    let mut one = client(&proxy).await;
    asked(&mut one, b"a").await.unwrap();
    proxy.slow(Slow { latency: Duration::from_millis(100), bytes_per_second: 50_000 });
    let from = Instant::now();
    asked(&mut one, &[7; 20_000]).await.unwrap();
    // There and back, which overlap: four tenths of bytes and two of way.
    let took = from.elapsed();
    assert!(took >= Duration::from_millis(600), "{took:?}");
    // What is on its way when the wire heals is there at once.
    proxy.slow(Slow { latency: HANGS * 100, bytes_per_second: 1 });
    let (answer, ()) = tokio::join!(asked(&mut one, b"a"), async {
        tokio::task::yield_now().await;
        proxy.heal();
    });
    assert_eq!(answer.unwrap(), b"b");
}

#[tokio::test]
async fn new_connections_are_refused_until_it_heals_and_old_ones_go_on() {
    let (_server, proxy) = pair().await;
    let mut old = client(&proxy).await;
    asked(&mut old, b"a").await.unwrap();
    proxy.refuse();
    let mut refused = client(&proxy).await;
    assert!(rest(&mut refused).await.1.is_err());
    assert_eq!(asked(&mut old, b"a").await.unwrap(), b"b");
    proxy.heal();
    assert_eq!(asked(&mut client(&proxy).await, b"a").await.unwrap(), b"b");
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_reset_and_one_that_moved_is_found() {
    let (server, proxy) = pair().await;
    let nowhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    proxy.set_upstream(nowhere);
    let mut one = client(&proxy).await;
    assert!(rest(&mut one).await.1.is_err());
    proxy.set_upstream(server.address);
    assert_eq!(asked(&mut client(&proxy).await, b"a").await.unwrap(), b"b");
    assert_eq!(proxy.open(), 1);
}

#[tokio::test]
async fn a_proxy_that_was_dropped_has_closed_everything() {
    let (_server, proxy) = pair().await;
    let mut one = client(&proxy).await;
    asked(&mut one, b"a").await.unwrap();
    let address = proxy.address();
    drop(proxy);
    assert_eq!(rest(&mut one).await.0, b"");
    assert!(TcpStream::connect(address).await.is_err());
}
