//! The event stream: by pages, and as server-sent events.

use super::{
    answer::{Answer, Asked, Failure, Listed, Paging, Refusals},
    extract::{Key, Query},
};
use crate::web::Web;
use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{
        IntoResponse as _,
        sse::{Event, KeepAlive, Sse},
    },
};
use domain::{
    feed::{EventType, FeedEvent, Position},
    ids::CampaignId,
    page::{LIMIT_MAX, PageRequest},
};
use engine::{
    Actor, Engine, Error, api_keys,
    feed::{self, FeedQuery},
};
use serde::Deserialize;
use std::{convert::Infallible, time::Duration};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// How often a listener's stream is looked at, and its key with it: a key that was taken back is cut off within a second.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often a silent stream says that it lives.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// The operations.
pub fn router() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListEvents {
    /// Only what came after the event with this id.
    #[param(example = "evt_0_0", pattern = "^evt_[0-9a-f]+_[0-9a-f]+$")]
    after: Option<String>,
    /// Only these types, separated by commas.
    #[param(example = "message.delivered,message.failed")]
    types: Option<String>,
    /// Only what concerns this campaign.
    campaign: Option<CampaignId>,
}

impl ListEvents {
    fn query(&self) -> Result<FeedQuery, Error> {
        let types = self.types.as_deref().map(|types| types.split(',').map(|word| word.trim().parse()).collect());
        let types: Vec<EventType> = types
            .transpose()
            .map_err(|error: domain::feed::NoEventType| Error::invalid("types", error.to_string()))?
            .unwrap_or_default();
        Ok(FeedQuery { types, campaign: self.campaign })
    }
}

/// List events
///
/// What happened, oldest first, kept for 30 days. Whoever remembers the last id that they saw, and asks for what came `after`
/// it, misses nothing and sees nothing twice. With `Accept: text/event-stream` the answer is a stream that goes on: it begins
/// after `Last-Event-ID` or `after`, or now.
#[utoipa::path(
    get,
    path = "/events",
    operation_id = "events_list",
    tag = "Events",
    params(Paging, ListEvents, ("Last-Event-ID" = Option<String>, Header, description = "With `Accept: text/event-stream`: only what came after the event with this id")),
    responses((status = 200, description = "List events", content((Listed<FeedEvent> = "application/json"), (String = "text/event-stream"))), Refusals),
    security(("key" = []))
)]
async fn list(
    State(web): State<Web>,
    Key(actor): Key,
    asked: Asked,
    Query(wanted): Query<ListEvents>,
    headers: HeaderMap,
) -> Answer {
    let query = wanted.query()?;
    if accepts_stream(&headers) {
        return stream(web, actor, query, &wanted, &headers).await;
    }
    let mut page = asked.request();
    page.after = page.after.or(wanted.after);
    asked.answer(feed::list(&web.engine, &actor, &query, &page).await?)
}

fn accepts_stream(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "text/event-stream")
}

async fn stream(web: Web, actor: Actor, query: FeedQuery, wanted: &ListEvents, headers: &HeaderMap) -> Answer {
    let last = match headers.get("last-event-id") {
        Some(value) => Some(value.to_str().map_err(|_| Failure::unreadable("Last-Event-ID cannot be read."))?),
        None => wanted.after.as_deref(),
    };
    let from = match last {
        Some(text) => text.parse().map_err(|_| Error::invalid("after", "this is not an event's id"))?,
        None => feed::end(&web.engine, &actor).await?,
    };
    // Asked once before the answer begins, so that a refusal is one.
    feed::list(&web.engine, &actor, &query, &PageRequest { limit: 1, after: Some(from.to_string()) }).await?;
    let Some(permit) = web.rooms.permit() else {
        return Err(Error::TooMany { retry_after_s: 10 }.into());
    };
    let (events, out) = mpsc::channel(64);
    let engine = web.engine.clone();
    web.rooms.until_shutdown(async move {
        let _permit = permit;
        let closed = events.clone();
        tokio::select! {
            () = send(&engine, &actor, &query, from, &events) => {}
            () = closed.closed() => {}
        }
    });
    let events = ReceiverStream::new(out).map(Ok::<Event, Infallible>);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE_EVERY)).into_response())
}

/// Sends what comes after `from`, until the key holds no more or nobody listens.
async fn send(engine: &Engine, actor: &Actor, query: &FeedQuery, from: Position, events: &mpsc::Sender<Event>) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = from.to_string();
    loop {
        looks.tick().await;
        match api_keys::holds(engine, actor).await {
            Ok(true) => {}
            Ok(false) => return,
            // While the database is away nothing can be told either.
            Err(_) => continue,
        }
        loop {
            let page = PageRequest { after: Some(last.clone()), limit: LIMIT_MAX };
            let Ok(page) = feed::list(engine, actor, query, &page).await else { break };
            for event in page.rows {
                let Ok(text) = serde_json::to_string(&event) else { continue };
                last.clone_from(&event.id);
                let told = Event::default().id(event.id).event(event.kind.as_str()).data(text);
                if events.send(told).await.is_err() {
                    return;
                }
            }
            if page.next.is_none() {
                break;
            }
        }
    }
}
