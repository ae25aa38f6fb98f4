//! The leanest HTTP/1.1 client that tells a status: requests are bytes made beforehand, and answers are read and thrown
//! away. A general client costs more than the server under measure, on the same cores.

use anyhow::{Context as _, Result, bail, ensure};
use std::{net::SocketAddr, sync::Mutex, sync::PoisonError};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The most bytes of an answer's head.
const HEAD_MAX: usize = 16 * 1024;

/// A request, ready to be written.
pub type Request = Vec<u8>;

/// A GET.
pub fn get(address: SocketAddr, target: &str) -> Request {
    format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes()
}

/// A POST of a form with Twilio's signature.
pub fn post(address: SocketAddr, target: &str, signature: &str, form: &str) -> Request {
    let length = form.len();
    format!(
        "POST {target} HTTP/1.1\r\nHost: {address}\r\nX-Twilio-Signature: {signature}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
    )
    .into_bytes()
}

/// A connection that is kept.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("nobody listens")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request, and reads its answer to the end; the status.
    pub async fn send(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            ensure!(self.buffer.len() < HEAD_MAX, "the head of the answer does not end");
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the connection was closed");
        };
        let (status, length) = parse(&self.buffer[..head])?;
        while self.buffer.len() < head + length {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the connection was closed");
        }
        Ok(status)
    }
}

/// The status, and the length of the body.
fn parse(head: &[u8]) -> Result<(u16, usize)> {
    let head = std::str::from_utf8(head).context("the head of the answer is no text")?;
    let status: u16 = head.get(9..12).unwrap_or_default().parse().context("the answer has no status")?;
    let header = |wanted: &str| {
        head.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    match header("content-length") {
        Some((_, length)) => Ok((status, length.trim().parse().context("the answer's length is no number")?)),
        None if matches!(status, 204 | 304) => Ok((status, 0)),
        None => bail!("the answer has no length"),
    }
}

/// Connections to one place, as many as are needed at once.
pub struct Pool {
    address: SocketAddr,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    /// None yet.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::new(Vec::new()) }
    }

    /// Sends a request over a connection that is idle, or a new one; the status.
    pub async fn send(&self, request: &[u8]) -> Result<u16> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        let status = connection.send(request).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(status)
    }
}
