//! What the command line does at a server somewhere, by its REST API: imports, campaigns, events.

mod campaign;
mod client;
mod events;
mod import;

use anyhow::Result;
use clap::{Args, Subcommand};
use client::Client;
use domain::{
    feed::EventType,
    ids::{CampaignId, ImportId},
    import::Repair,
};
use engine::twilio::Secret;
use std::path::PathBuf;
use url::Url;

/// Which server, and how to tell of it.
#[derive(Debug, Clone, Args)]
pub struct Remote {
    /// The server.
    #[arg(long, env = "ESE_URL", default_value = "http://127.0.0.1:3000")]
    pub url: Url,
    /// A key of its API. The variable is the better place: options are seen by everyone on the machine.
    #[arg(long, env = "ESE_KEY", hide_env_values = true, value_parser = secret)]
    pub key: Secret,
    /// One JSON object a line, for programs.
    #[arg(long)]
    pub json: bool,
}

// The type of a parser that clap calls.
#[expect(clippy::unnecessary_wraps, reason = "clap's parsers may fail")]
fn secret(text: &str) -> std::result::Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// A file to import.
#[derive(Debug, Args)]
pub struct ImportCommand {
    /// CSV or JSON, in any encoding.
    #[arg(required_unless_present = "undo")]
    pub file: Option<PathBuf>,
    /// What a column holds, as COLUMN=FIELD: phone, name, attributes.city, or nothing to leave it out. What is not said is guessed.
    #[arg(long = "map", value_name = "COLUMN=FIELD", value_parser = import::column)]
    pub map: Vec<(String, String)>,
    /// The region of numbers without a country code, such as DE.
    #[arg(long)]
    pub region: Option<String>,
    /// How everyone in the file agreed to SMS.
    #[arg(long)]
    pub sms_evidence: Option<String>,
    /// How everyone in the file agreed to WhatsApp.
    #[arg(long)]
    pub whatsapp_evidence: Option<String>,
    /// A repair to make, of those that the check offers.
    #[arg(long, value_parser = import::repair)]
    pub repair: Vec<Repair>,
    /// Apply it once it was checked; without this, nothing goes in.
    #[arg(long)]
    pub apply: bool,
    /// The second word for a list that looks bought.
    #[arg(long, requires = "apply")]
    pub confirmed: bool,
    /// Take an import back instead.
    #[arg(long, value_name = "ID", conflicts_with_all = ["file", "apply"])]
    pub undo: Option<ImportId>,
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// What to do with a campaign.
#[derive(Debug, Subcommand)]
pub enum CampaignCommand {
    /// Start sending.
    Launch(OneCampaign),
    /// Stop sending for now.
    Pause(OneCampaign),
    /// Go on.
    Resume(OneCampaign),
    /// Stop for good.
    Cancel(OneCampaign),
    /// Tell how it goes until it ends; the exit code is 0 if it was completed.
    Watch(OneCampaign),
}

/// Which campaign.
#[derive(Debug, Args)]
pub struct OneCampaign {
    /// Its id.
    pub id: CampaignId,
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// What to do with the event stream.
#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// Tell what happens, as it happens, until Ctrl-C.
    Tail(TailEvents),
}

/// Which events.
#[derive(Debug, Args)]
pub struct TailEvents {
    /// Only these types, such as message.delivered; several are separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub types: Vec<EventType>,
    /// Only what concerns this campaign.
    #[arg(long)]
    pub campaign: Option<CampaignId>,
    /// Begin behind the event with this id; evt_0_0 for everything that is kept. Without it, with what happens from now on.
    #[arg(long)]
    pub after: Option<String>,
    /// End after so many events.
    #[arg(long)]
    pub count: Option<u64>,
    /// Where.
    #[command(flatten)]
    pub remote: Remote,
}

/// Brings a file in, or takes an import back.
///
/// # Errors
/// Why not, in words for whoever typed it.
pub async fn import(command: ImportCommand) -> Result<()> {
    import::run(&Client::new(&command.remote)?, &command).await
}

/// Does something with a campaign.
///
/// # Errors
/// Why not; for `watch` also that it ended otherwise than completed.
pub async fn campaign(command: CampaignCommand) -> Result<()> {
    let (one, verb) = match &command {
        CampaignCommand::Launch(one) => (one, Some("launch")),
        CampaignCommand::Pause(one) => (one, Some("pause")),
        CampaignCommand::Resume(one) => (one, Some("resume")),
        CampaignCommand::Cancel(one) => (one, Some("cancel")),
        CampaignCommand::Watch(one) => (one, None),
    };
    let client = Client::new(&one.remote)?;
    match verb {
        Some(verb) => campaign::act(&client, one.id, verb).await,
        None => campaign::watch(&client, one.id).await,
    }
}

/// Tells of events.
///
/// # Errors
/// Why not.
pub async fn events(command: EventsCommand) -> Result<()> {
    let EventsCommand::Tail(tail) = command;
    events::tail(&Client::new(&tail.remote)?, &tail).await
}
