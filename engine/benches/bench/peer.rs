//! The peer that ratios are made with: an axum server that reads a request and answers it, and does nothing else.

use anyhow::Result;
use axum::{Router, body::Bytes, http::StatusCode};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::{net::TcpListener, task::JoinHandle};

/// The peer, running. It ends when this is dropped.
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Peer {
    /// Starts it in this process.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(async |_: Bytes| StatusCode::NO_CONTENT);
        let serving = tokio::spawn(async move {
            // It ends with the task, or every request to it fails and says so.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, serving })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
