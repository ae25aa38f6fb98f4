//! Hints to open pages, as server-sent events. A campaign's counters are read once per change, at most four times a second,
//! and the same bytes go to everyone who watches it.

use crate::{extract::Caller, extract::Visitor, problem, session, web::Web};
use axum::{
    extract::{Query, State},
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use domain::{ids::CampaignId, live::Hint, problem::Kind};
use engine::{
    Actor, Client, Engine, campaigns,
    live::Nudge,
    operators::{self, Use},
};
use serde::Deserialize;
use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast::error::RecvError, mpsc, watch},
    time::{Instant, interval, sleep},
};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;

/// The least time between two readings of a campaign's counters.
const COUNTERS_EVERY: Duration = Duration::from_millis(250);
/// The least time between two hints to lists that some campaign moved.
const CAMPAIGNS_EVERY: Duration = Duration::from_secs(1);
/// How often a listener's session is looked at: nobody listens for longer than this after signing out.
const SESSION_EVERY: Duration = Duration::from_secs(30);
/// Streams of one process at the most.
const STREAMS_MAX: usize = 2_000;

type Bytes = Arc<str>;
type Counters = watch::Sender<Option<Bytes>>;

/// The campaigns that are watched, each with its counters.
#[derive(Clone)]
pub struct Rooms(Arc<Inner>);

struct Inner {
    engine: Engine,
    rooms: Mutex<HashMap<CampaignId, Arc<Counters>>>,
    streams: Arc<Semaphore>,
    shutdown: CancellationToken,
}

impl Rooms {
    /// No rooms yet. All streams end with `shutdown`.
    pub fn new(engine: Engine, shutdown: CancellationToken) -> Self {
        let streams = Arc::new(Semaphore::new(STREAMS_MAX));
        Self(Arc::new(Inner { engine, rooms: Mutex::default(), streams, shutdown }))
    }

    /// A place among the streams of this process; `None` when there are too many.
    pub fn permit(&self) -> Option<OwnedSemaphorePermit> {
        self.0.streams.clone().try_acquire_owned().ok()
    }

    /// Does something in the background that ends with the process at the latest.
    pub fn until_shutdown(&self, work: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.0.shutdown.clone().run_until_cancelled_owned(work));
    }

    /// A campaign's counters, as they change.
    fn enter(&self, id: CampaignId) -> watch::Receiver<Option<Bytes>> {
        let mut rooms = self.0.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = rooms.get(&id) {
            return counters.subscribe();
        }
        let (counters, first) = watch::channel(None);
        let counters = Arc::new(counters);
        rooms.insert(id, counters.clone());
        self.until_shutdown(self.clone().keep(id, counters));
        first
    }

    /// Reads a campaign's counters whenever they moved, as long as someone is there.
    async fn keep(self, id: CampaignId, counters: Arc<Counters>) {
        let mut hints = self.0.engine.live.listen();
        loop {
            match campaigns::progress(&self.0.engine, &Actor::system(), id).await {
                Ok(progress) => {
                    let hint = Hint::Campaign { id, progress: Box::new(progress) };
                    if let Ok(text) = serde_json::to_string(&hint) {
                        counters.send_replace(Some(text.into()));
                    }
                }
                Err(error) => tracing::debug!(error = %problem::chain(&error), "counters could not be read"),
            }
            sleep(COUNTERS_EVERY).await;
            loop {
                tokio::select! {
                    hint = hints.recv() => match hint {
                        Ok(Nudge::Campaign { id: moved }) if moved == id => break,
                        Ok(_) => {}
                        Err(RecvError::Lagged(_)) => break,
                        Err(RecvError::Closed) => return,
                    },
                    () = counters.closed() => {
                        let mut rooms = self.0.rooms.lock().unwrap_or_else(PoisonError::into_inner);
                        if counters.receiver_count() == 0 {
                            rooms.remove(&id);
                            return;
                        }
                    }
                }
            }
        }
    }
}

/// What is listened to.
#[derive(Deserialize)]
pub struct Listening {
    campaign: Option<String>,
}

/// `GET /ui/live`: hints that a noun changed; with `?campaign=…`, that campaign's counters as well.
pub async fn stream(
    State(web): State<Web>,
    visitor: Visitor,
    Caller(_): Caller,
    Query(listening): Query<Listening>,
    headers: HeaderMap,
) -> Response {
    if !session::may_listen(&headers, &web.config.public_url) {
        return problem::refuse(Kind::Forbidden, "This request comes from another site.", &visitor.client);
    }
    let campaign = match listening.campaign.map(|id| id.parse::<CampaignId>()).transpose() {
        Ok(campaign) => campaign,
        Err(_) => return problem::refuse(Kind::NotFound, "There is no such campaign.", &visitor.client),
    };
    let Some(permit) = web.rooms.permit() else {
        return problem::refuse(
            Kind::Unavailable,
            "Too many pages listen; this one asks again later.",
            &visitor.client,
        );
    };
    let (events, out) = mpsc::channel(16);
    let counters = campaign.map(|id| web.rooms.enter(id));
    let listener = Listener {
        engine: web.engine.clone(),
        token: visitor.session.unwrap_or_default(),
        client: visitor.client,
        events,
        _permit: permit,
    };
    web.rooms.until_shutdown(listener.run(counters));
    let events = ReceiverStream::new(out).map(|text: Bytes| Ok::<_, Infallible>(Event::default().data(&*text)));
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

/// One open page.
struct Listener {
    engine: Engine,
    token: String,
    client: Client,
    events: mpsc::Sender<Bytes>,
    _permit: OwnedSemaphorePermit,
}

impl Listener {
    /// Sends until the page is closed or its session is over.
    async fn run(self, counters: Option<watch::Receiver<Option<Bytes>>>) {
        let mut hints = self.engine.live.listen();
        let mut sessions = interval(SESSION_EVERY);
        sessions.tick().await;
        let (mut counters, _quiet) = match counters {
            Some(counters) => (counters, None),
            // A channel that never says anything.
            None => {
                let (sender, counters) = watch::channel(None);
                (counters, Some(sender))
            }
        };
        counters.mark_changed();
        // When lists may next hear that some campaign moved; a move in between is told then.
        let mut next = Instant::now();
        let mut moved = false;
        loop {
            let said = tokio::select! {
                changed = counters.changed() => match changed {
                    Ok(()) => counters.borrow_and_update().clone(),
                    Err(_) => return,
                },
                hint = hints.recv() => match hint {
                    Ok(Nudge::Campaign { .. }) | Err(RecvError::Lagged(_)) => {
                        moved = true;
                        None
                    }
                    Ok(Nudge::Changed { noun }) => changed(&noun),
                    Err(RecvError::Closed) => return,
                },
                () = tokio::time::sleep_until(next), if moved => {
                    moved = false;
                    next = Instant::now() + CAMPAIGNS_EVERY;
                    changed("campaigns")
                }
                _ = sessions.tick() => {
                    let session = operators::look_up(&self.engine, &self.token, &self.client, Use::Listening).await;
                    if matches!(session, Err(engine::Error::Unauthenticated)) {
                        return;
                    }
                    None
                }
                () = self.events.closed() => return,
            };
            if let Some(text) = said
                && self.events.send(text).await.is_err()
            {
                return;
            }
        }
    }
}

fn changed(noun: &str) -> Option<Bytes> {
    serde_json::to_string(&Hint::Changed { noun: noun.to_owned() }).ok().map(Into::into)
}
