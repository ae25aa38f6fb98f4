//! `ese events tail`: the event stream, which goes on where it broke.

use super::{
    TailEvents,
    client::{Client, asked_wait, refusal, unreachable},
};
use anyhow::{Context as _, Result};
use domain::feed::FeedEvent;
use eventsource_stream::Eventsource as _;
use futures::{Stream, StreamExt as _, stream};
use reqwest::{Method, Response, header};
use std::time::Duration;
use url::form_urlencoded;

/// How long to wait before a stream that broke is opened again; it doubles up to the most.
const AGAIN_FIRST: Duration = Duration::from_secs(1);
const AGAIN_MOST: Duration = Duration::from_secs(30);

/// Tells each event once, in order, until Ctrl-C, or until there were as many as were asked for.
pub async fn tail(client: &Client, wanted: &TailEvents) -> Result<()> {
    let mut last = wanted.after.clone();
    let mut left = wanted.count.unwrap_or(u64::MAX);
    let mut wait = AGAIN_FIRST;
    let mut opened = false;
    while left > 0 {
        let answer = request(client, wanted, last.as_deref())?.send().await;
        let response = match answer {
            Ok(response) if response.status().is_success() => response,
            // Whoever was let in before is let in again after a restart, or not at all; both are told.
            Ok(response) if response.status().is_client_error() && response.status() != 429 => {
                let status = response.status();
                return Err(refusal(status, &response.bytes().await.unwrap_or_default()));
            }
            Ok(busy) => {
                tokio::time::sleep(asked_wait(&busy).unwrap_or(wait).min(AGAIN_MOST)).await;
                continue;
            }
            Err(error) if !opened => return Err(unreachable(error)),
            Err(_) => {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(AGAIN_MOST);
                continue;
            }
        };
        (opened, wait) = (true, AGAIN_FIRST);
        let mut events = Box::pin(pieces(response).eventsource());
        // A stream that breaks is opened again behind the last event that was told.
        while left > 0
            && let Some(Ok(event)) = events.next().await
        {
            let told: FeedEvent = serde_json::from_str(&event.data).context("an event cannot be read")?;
            last = Some(told.id.clone());
            left -= 1;
            client.tell(&told, || format!("{}  {:<22} {}", told.timestamp.to_rfc3339(), told.kind, told.data))?;
        }
    }
    Ok(())
}

fn request(client: &Client, wanted: &TailEvents, last: Option<&str>) -> Result<reqwest::RequestBuilder> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !wanted.types.is_empty() {
        let types: Vec<&str> = wanted.types.iter().map(|kind| kind.as_str()).collect();
        query.append_pair("types", &types.join(","));
    }
    if let Some(campaign) = wanted.campaign {
        query.append_pair("campaign", &campaign.to_string());
    }
    let request = client.request(Method::GET, &format!("events?{}", query.finish()))?;
    let request = request.header(header::ACCEPT, "text/event-stream");
    Ok(match last {
        Some(last) => request.header("last-event-id", last),
        None => request,
    })
}

/// The body as it comes.
fn pieces(response: Response) -> impl Stream<Item = reqwest::Result<bytes::Bytes>> {
    stream::try_unfold(
        response,
        |mut response| async move { Ok(response.chunk().await?.map(|piece| (piece, response))) },
    )
}
