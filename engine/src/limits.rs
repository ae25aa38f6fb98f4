//! Every bound and delay of the engine, with its unit in its name. The server fills them from its configuration; tests
//! make them short.

use std::time::Duration;
use url::Url;

/// Bounds and delays.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Where the provider reaches us: scheme and host of every callback and webhook.
    pub public_url: Url,
    /// Where the simulator's control API is; `None` when the provider is Twilio.
    pub simulator_url: Option<Url>,
    /// The name of this process, new at each start.
    pub worker: String,
    /// How long one request to the provider may take, T of DELIVERY.md.
    pub send_timeout: Duration,
    /// How long a claim is held: at least 3 T, and never renewed.
    pub lease: Duration,
    /// How long after its lease an unknown message is first looked for at the provider.
    pub reconcile_delay: Duration,
    /// How long between two looks.
    pub reconcile_gap: Duration,
    /// How many rows one claim may take.
    pub claim_rows: u32,
    /// How many requests to the provider may be under way in this process.
    pub in_flight: usize,
    /// How many messages one chunk holds.
    pub chunk_rows: i64,
    /// How many people one step of an expansion takes.
    pub expansion_rows: u32,
    /// How long one run of a job works before it rings for the next.
    pub slice: Duration,
    /// How long a message may wait in the carrier's queue at the most, in seconds (Twilio's maximum is 36,000).
    pub validity_seconds: u32,
    /// How far from the end of a person's allowed window we stop handing messages over, in seconds.
    pub window_margin_seconds: u32,
    /// Up to how many people a filtered list is put in the order of names. Beyond, finding a page of matches in that order reads the
    /// table from end to end, one place after another.
    pub ordered_by_name: i64,
    /// The largest upload, in bytes.
    pub upload_bytes: u64,
    /// Where uploads are kept while they are read.
    pub upload_dir: std::path::PathBuf,
    /// How long a session lasts without a request.
    pub session_idle: Duration,
    /// How long a session lasts at the most.
    pub session_absolute: Duration,
    /// How long a sign-in link is good for.
    pub link_lifetime: Duration,
    /// How many wrong passwords an account or address may send in 15 minutes.
    pub sign_in_failures: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            public_url: Url::parse("http://127.0.0.1:3000").expect("a constant URL"),
            simulator_url: None,
            worker: format!("{}-{}", std::process::id(), uuid::Uuid::now_v7().simple()),
            send_timeout: Duration::from_secs(10),
            lease: Duration::from_secs(30),
            reconcile_delay: Duration::from_secs(60),
            reconcile_gap: Duration::from_secs(30),
            claim_rows: 400,
            in_flight: 256,
            chunk_rows: 1_000,
            expansion_rows: 1_000,
            slice: Duration::from_secs(5),
            validity_seconds: 36_000,
            window_margin_seconds: 60,
            ordered_by_name: 100_000,
            upload_bytes: 2 * 1024 * 1024 * 1024,
            upload_dir: "uploads".into(),
            session_idle: Duration::from_secs(30 * 60),
            session_absolute: Duration::from_secs(12 * 3600),
            link_lifetime: Duration::from_secs(15 * 60),
            sign_in_failures: 10,
        }
    }
}
