//! Slow and idle connections: they end, and others do not wait for them.

use axum::{
    Router,
    routing::{get, post},
};
use server::connections::{Bounds, serve};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

struct Serving {
    address: SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

async fn start(bounds: Bounds) -> Serving {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let router = Router::new().route("/", get(async || "here")).route("/read", post(async |body: String| body));
    let running = tokio::spawn(serve(listener, router, bounds, stop.clone()));
    Serving { address, stop, running }
}

/// A connection that has begun a request and does not end it.
async fn half_open(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
    stream
}

async fn ask(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn three_hundred_half_open_connections_stop_nobody() {
    let Serving { address, stop, running } = start(Bounds::default()).await;
    let mut open = Vec::new();
    for _ in 0..300 {
        open.push(half_open(address).await);
    }
    assert!(ask(address).await.ends_with("here"));
    stop.cancel();
    drop(open);
    running.await.unwrap();
}

#[tokio::test]
async fn whoever_never_says_what_it_wants_is_let_go() {
    let bounds = Bounds { headers: Duration::from_millis(50), connections: 1, ..Bounds::default() };
    let Serving { address, stop, running } = start(bounds).await;
    let mut slow = half_open(address).await;
    // There is room for one: this is answered only because the slow one was let go.
    assert!(ask(address).await.ends_with("here"));
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.unwrap();
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn whoever_begins_a_body_and_never_ends_it_is_answered_no() {
    let bounds = Bounds { body: Duration::from_millis(50), ..Bounds::default() };
    let Serving { address, stop, running } = start(bounds).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    let head = b"POST /read HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhalf";
    slow.write_all(head).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_does_not_keep_the_process() {
    let Serving { address, stop, running } = start(Bounds::default()).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stop.cancel();
    running.await.unwrap();
}
