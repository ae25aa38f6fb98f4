//! The simulator in this process: Twilio on the wire, on an address of its own, calling our webhooks back.

use anyhow::{Context as _, Result};
use domain::phone::Channel;
use simulator::{Config, Sender, SenderKind, Simulator};
use std::net::SocketAddr;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Where the simulator posts what people write.
pub const INBOUND: &str = "/webhooks/twilio/inbound";

/// A running simulator. It ends with the last clone.
#[derive(Clone)]
pub struct Running {
    /// Where its API is.
    pub url: Url,
    _simulator: Simulator,
}

/// Starts one. `public_url` is ours: what people write goes to its webhook. It has the configured senders beside its own,
/// so that a configuration that names other numbers can be tried out as it is.
///
/// # Errors
/// If it cannot listen there.
pub async fn start(
    listen: SocketAddr,
    public_url: &Url,
    senders: &[(Channel, String, u32)],
    shutdown: CancellationToken,
) -> Result<Running> {
    let inbound = public_url.join(INBOUND).context("the public URL takes no path")?;
    let mut config = Config { inbound_url: Some(inbound), ..Config::default() };
    for (channel, number, _) in senders {
        let kind = match channel {
            Channel::Sms => SenderKind::LongCode,
            Channel::Whatsapp => SenderKind::Whatsapp,
        };
        let sender = Sender::new(number, kind);
        let known = config.senders.iter().any(|own| own.number == *number && own.channel() == sender.channel());
        if !known && number.starts_with('+') {
            config.senders.push(sender);
        }
    }
    let simulator = Simulator::new(config)?;
    let url = simulator
        .spawn(listen, shutdown)
        .await
        .with_context(|| format!("SIMULATOR_LISTEN: cannot listen on {listen}"))?;
    Ok(Running { url: Url::parse(&url)?, _simulator: simulator })
}
