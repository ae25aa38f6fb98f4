//! Takes connections, and lets no slow or idle one hold what others need.
//!
//! `axum::serve` waits for ever for a request's first line. Here a connection has so long to say what it wants, and there
//! are at most so many at once.

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tower_http::timeout::TimeoutBody;

/// What a connection may ask of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long a request's line and headers may take to arrive; also how long a connection may stay open between two
    /// requests.
    pub headers: Duration,
    /// How long the next piece of a request's body may take to arrive.
    pub body: Duration,
    /// How many connections there may be at once; the next waits in the system's queue.
    pub connections: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { headers: Duration::from_secs(20), body: Duration::from_secs(30), connections: 8_192 }
    }
}

/// How long to wait before taking the next connection when the system has no room for one (too many open files).
const NO_ROOM: Duration = Duration::from_millis(200);

/// Answers until it is told to stop; then takes no further request, and ends when those under way are answered.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(bounds.connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.headers);
    loop {
        let taken = async {
            let place = room.clone().acquire_owned().await.expect("nobody closes the semaphore");
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            taken = taken => taken,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // The other side was gone before we came to it.
            Err(error) if is_theirs(&error) => continue,
            Err(error) => {
                tracing::warn!(error = %error, "no connection could be taken");
                tokio::time::sleep(NO_ROOM).await;
                continue;
            }
        };
        let connection =
            graceful.watch(http.serve_connection(TokioIo::new(without_delay(stream)), answer(&router, peer, bounds)));
        tokio::spawn(async move {
            // It ended early: the client went away, was too slow, or spoke no HTTP. Whoever waits for an answer knows.
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// The router as a connection's service; handlers learn who is at the other end.
fn answer(
    router: &Router,
    peer: SocketAddr,
    bounds: Bounds,
) -> impl hyper::service::Service<
    hyper::Request<Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future: Send,
> + use<> {
    let router = router.clone();
    hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(|body| Body::new(TimeoutBody::new(bounds.body, body)));
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    })
}

/// Answers are small and whole: waiting for more to send only makes them late.
fn without_delay(stream: TcpStream) -> TcpStream {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "a connection keeps its delay");
    }
    stream
}

fn is_theirs(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}
