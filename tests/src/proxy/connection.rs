//! One client and one server, and how their connection ends.

use std::sync::Arc;

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{
    Way,
    pump::{self, Ended},
    wire::Wire,
};

/// Takes connections until it is dropped; those that are open are dropped with it.
pub(super) async fn accept(listener: TcpListener, wire: Arc<Wire>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // What fails here is the client's connection, and the client sees it.
                let Ok((client, _)) = accepted else { continue };
                wire.count_accepted();
                if wire.refuses() {
                    reset(client);
                } else {
                    connections.spawn(connect(client, Arc::clone(&wire)));
                }
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn connect(mut client: TcpStream, wire: Arc<Wire>) {
    let _open = wire.count_open();
    let mut cuts = wire.cuts_of_all();
    let Ok(mut server) = TcpStream::connect(wire.upstream()).await else {
        reset(client);
        return;
    };
    // What is small and urgent is passed on at once, as if there were no proxy.
    if client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).is_err() {
        return;
    }
    let cut = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let request = pump::run(Way::Request, from_client, to_server, &wire);
        let reply = pump::run(Way::Reply, from_server, to_client, &wire);
        let both = async {
            tokio::pin!(request, reply);
            tokio::select! {
                ended = &mut request => match ended {
                    // The client has said all that it had to say: it still wants the answer.
                    Ended::Finished => reply.await,
                    ended => ended,
                },
                ended = &mut reply => ended,
            }
        };
        tokio::select! {
            ended = both => match ended {
                Ended::Finished | Ended::Broken => None,
                Ended::Cut(way, happened) => Some((way, Some(happened))),
            },
            _ = cuts.changed() => Some((Way::Request, None)),
        }
    };
    match cut {
        None => {}
        Some((Way::Request, happened)) => {
            reset(client);
            finish(server).await;
            tell(happened);
        }
        Some((Way::Reply, happened)) => {
            finish(client).await;
            drop(server);
            tell(happened);
        }
    }
}

/// Closes with a reset: what the other end sees of a peer that is gone.
fn reset(stream: TcpStream) {
    // Fails only where the connection has ended, which is what is wanted.
    drop(stream.set_zero_linger());
}

/// Closes after all that was written has been sent.
async fn finish(mut stream: TcpStream) {
    // Fails only where the connection has ended.
    drop(stream.shutdown().await);
}

fn tell(happened: Option<tokio::sync::oneshot::Sender<()>>) {
    if let Some(happened) = happened {
        // The test need not wait for it.
        happened.send(()).ok();
    }
}
