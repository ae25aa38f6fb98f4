//! Demo data: made-up people who agreed to hear from us, and campaigns ready to launch. It all goes through the engine's
//! use cases, and doing it again changes nothing. Everyone lives where it is day at the first start: a campaign that a
//! newcomer launches then runs to its end, whatever the hour.
//!
//! The numbers are of exchange 555 of North America, as in films. (Other countries keep whole ranges for films and books,
//! and an import refuses those: nobody can have such a number.) They only ever meet the simulator: with Twilio's keys
//! there is no seed.

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use chrono::{DateTime, Timelike as _, Utc};
use domain::{
    campaign::{Audience, CampaignForm, Listed},
    ids::{TemplateId, TopicId},
    import::{Field, ImportOptions, ImportStatus, ImportView, Mapping},
    page::PageRequest,
    phone::Channel,
    template::TemplateForm,
    topic::{TopicForm, TopicKind},
    zone::{self, Zone},
};
use engine::{Actor, Doorbell, Engine, campaigns, imports, jobs, segments, senders, templates, topics};
use futures::stream;
use std::{collections::BTreeMap, io};

/// How many people there are.
pub const PEOPLE: usize = 10_000;
const FILE: &str = "demo-people.csv";
const EVIDENCE: &str = "Demo data: agreed at the till, receipt on file";
const CHUNK_ROWS: usize = 500;
/// How often the import may be run before it must be done: each run works for some seconds.
const RUNS_MAX: usize = 1_000;

/// Area codes of North America.
const AREAS: [&str; 11] = ["202", "206", "212", "303", "305", "312", "415", "416", "418", "514", "604"];
/// A city, its time zone, and a language of it.
type City = (&'static str, &'static str, &'static str);
/// Where people may live, whatever their number says: around the world, so that it is day somewhere at any hour.
const CITIES: [City; 13] = [
    ("San Francisco", "America/Los_Angeles", "en-US"),
    ("New York", "America/New_York", "en-US"),
    ("Montréal", "America/Toronto", "fr-CA"),
    ("São Paulo", "America/Sao_Paulo", "pt-BR"),
    ("London", "Europe/London", "en-GB"),
    ("Lagos", "Africa/Lagos", "en-NG"),
    ("Berlin", "Europe/Berlin", "de-DE"),
    ("Nairobi", "Africa/Nairobi", "en-KE"),
    ("Dubai", "Asia/Dubai", "ar-AE"),
    ("Colombo", "Asia/Colombo", "si-LK"),
    ("Singapore", "Asia/Singapore", "en-SG"),
    ("Tokyo", "Asia/Tokyo", "ja-JP"),
    ("Sydney", "Australia/Sydney", "en-AU"),
];
/// The hours of the day at which nobody's quiet hours are near, by the clock on the wall.
const DAY_HOURS: std::ops::Range<u32> = 9..17;
const FIRST: [&str; 20] = [
    "Ada",
    "Alan",
    "Barbara",
    "Claude",
    "Dorothy",
    "Edsger",
    "Frances",
    "Grace",
    "Hedy",
    "Ida",
    "John",
    "Katherine",
    "Linus",
    "Margaret",
    "Niklaus",
    "Radia",
    "Sophie",
    "Tim",
    "Ursula",
    "Yukihiro",
];
const LAST: [&str; 17] = [
    "Adams", "Baker", "Clark", "Dupont", "Evans", "Fischer", "Garcia", "Hughes", "Ito", "Jones", "Khan", "Lefèvre",
    "Martin", "Nguyen", "Okafor", "Patel", "Rossi",
];
const PLANS: [&str; 4] = ["free", "free", "plus", "pro"];

/// Sees to it that the demo data is there.
///
/// # Errors
/// If the engine refuses any of it.
pub async fn run(engine: &Engine) -> Result<()> {
    let actor = Actor::system();
    let topic = topics(engine, &actor).await?;
    people(engine, &actor).await?;
    segment(engine, &actor).await?;
    let sms = TemplateForm {
        name: "Weekly offer (SMS)".into(),
        channel: Channel::Sms,
        body: "Hi {{ name | default(\"there\") }}, this week only: 20% off everything in {{ attributes.city | default(\"store\") }}. \
               Reply STOP to opt out."
            .into(),
        content_sid: String::new(),
        content_variables: BTreeMap::new(),
        locales: Default::default(),
    };
    let whatsapp = TemplateForm {
        name: "Weekly offer (WhatsApp)".into(),
        channel: Channel::Whatsapp,
        // What the provider's content says, in our own variables.
        body: "Hello {{ name | default(\"there\") }}, this week only: 20% off everything. \
               Reply STOP to hear no more from us."
            .into(),
        content_sid: simulator::OFFER_CONTENT.into(),
        content_variables: BTreeMap::from([
            ("1".into(), "{{ name | default(\"there\") }}".into()),
            ("2".into(), "20% off everything".into()),
        ]),
        locales: BTreeMap::new(),
    };
    let sms = template(engine, &actor, sms).await?;
    let whatsapp = template(engine, &actor, whatsapp).await?;
    campaign(engine, &actor, "Autumn sale by SMS", Channel::Sms, sms, topic, "").await?;
    campaign(
        engine,
        &actor,
        "Autumn sale on WhatsApp",
        Channel::Whatsapp,
        whatsapp,
        topic,
        r#"consent.whatsapp = opted_in"#,
    )
    .await?;
    tracing::info!(people = PEOPLE, "the demo data is there");
    Ok(())
}

/// The topics; the answer is the one that campaigns are about.
async fn topics(engine: &Engine, actor: &Actor) -> Result<TopicId> {
    let wanted = [("offers", "Offers", TopicKind::OptOut), ("events", "Events near you", TopicKind::OptIn)];
    let known = topics::list(engine, actor).await?;
    let mut about = None;
    for (key, name, kind) in wanted {
        let id = match known.iter().find(|topic| topic.key == key) {
            Some(topic) => topic.id,
            None => topics::create(engine, actor, &TopicForm { key: key.into(), name: name.into(), kind }).await?.id,
        };
        about = about.or(Some(id));
    }
    about.context("there are no topics")
}

/// The people, by an import like any other.
async fn people(engine: &Engine, actor: &Actor) -> Result<()> {
    let known = imports::list(engine, actor, &PageRequest { limit: 200, ..PageRequest::default() }).await?;
    if known.rows.iter().any(|import| import.file_name == FILE && import.status == ImportStatus::Completed) {
        return Ok(());
    }
    let cities = cities_by_day(engine.clock.now())?;
    let head = "phone,name,locale,zone,city,plan,points,consent_sms,consent_whatsapp,topics\n".to_owned();
    let rows = (0..PEOPLE.div_ceil(CHUNK_ROWS)).map(|chunk| {
        (chunk * CHUNK_ROWS..PEOPLE.min((chunk + 1) * CHUNK_ROWS)).map(|n| row(n, &cities)).collect::<String>()
    });
    let chunks: Vec<io::Result<Bytes>> = std::iter::once(head).chain(rows).map(|text| Ok(Bytes::from(text))).collect();
    let import = imports::create(engine, actor, FILE, stream::iter(chunks)).await?;
    let options = ImportOptions {
        default_region: None,
        mapping: mapping(),
        sms_evidence: EVIDENCE.into(),
        whatsapp_evidence: EVIDENCE.into(),
        ..ImportOptions::default()
    };
    let mut import: ImportView = imports::check(engine, actor, import.id, &options).await?;
    for _ in 0..RUNS_MAX {
        match import.status {
            ImportStatus::Completed => {
                let rejected = import.report.rejected;
                ensure!(rejected == 0, "{rejected} of the demo people were refused: {:?}", import.report.reasons);
                return Ok(());
            }
            ImportStatus::Failed => bail!("the demo people could not be imported: {:?}", import.failure),
            // They are made by counting up, and meant to be.
            ImportStatus::Checked => _ = imports::apply(engine, actor, import.id, true).await?,
            _ => jobs::run(engine, Doorbell::Import(import.id)).await?,
        }
        import = imports::get(engine, actor, import.id).await?;
    }
    bail!("the import of the demo people does not end")
}

fn mapping() -> Mapping {
    let attribute = |name: &str| Field::Attribute(name.to_owned());
    let columns = [
        Field::Phone,
        Field::Name,
        Field::Locale,
        Field::Zone,
        attribute("city"),
        attribute("plan"),
        attribute("points"),
        Field::ConsentSms,
        Field::ConsentWhatsapp,
        Field::Topics,
    ];
    Mapping { columns: columns.into_iter().map(Some).collect() }
}

/// The cities where it is day.
fn cities_by_day(now: DateTime<Utc>) -> Result<Vec<City>> {
    let mut cities = Vec::new();
    for city in CITIES {
        if DAY_HOURS.contains(&zone::local(now, &Zone::parse(city.1)?).hour()) {
            cities.push(city);
        }
    }
    ensure!(!cities.is_empty(), "it is night in all cities");
    Ok(cities)
}

/// The n-th person, from 0, of these cities. Of ten, eight agreed to SMS, one said nothing and one refused; half agreed
/// to WhatsApp, four said nothing. For those who said nothing the import's statement of evidence speaks.
fn row(n: usize, cities: &[City]) -> String {
    // From 0200 on: the simulator's own senders are below.
    let phone = format!("+1{}555{:04}", AREAS[n % AREAS.len()], 200 + n / AREAS.len());
    let (city, zone, locale) = cities[n % cities.len()];
    // The parts are taken by numbers that share no factor, so that names, plans and consents mix.
    let name = format!("{} {}", FIRST[n % FIRST.len()], LAST[(n / 3) % LAST.len()]);
    let plan = PLANS[(n / 7) % PLANS.len()];
    let points = (n * 7_919) % 5_000;
    let sms = match (n / 11) % 10 {
        0..=7 => "yes",
        8 => "",
        _ => "no",
    };
    let whatsapp = match (n / 13) % 10 {
        0..=4 => "yes",
        5..=8 => "",
        _ => "no",
    };
    let topics = if n.is_multiple_of(5) { "events" } else { "" };
    format!("{phone},{name},{locale},{zone},{city},{plan},{points},{sms},{whatsapp},{topics}\n")
}

async fn segment(engine: &Engine, actor: &Actor) -> Result<()> {
    let (name, filter) = ("Paying customers with consent", r#"plan in ("plus", "pro") and consent.sms = opted_in"#);
    if !segments::list(engine, actor).await?.iter().any(|segment| segment.name == name) {
        segments::create(engine, actor, name, filter).await?;
    }
    Ok(())
}

async fn template(engine: &Engine, actor: &Actor, form: TemplateForm) -> Result<TemplateId> {
    let known = templates::list(engine, actor).await?;
    Ok(match known.iter().find(|template| template.name == form.name) {
        Some(template) => template.id,
        None => templates::create(engine, actor, &form).await.with_context(|| form.name.clone())?.id,
    })
}

async fn campaign(
    engine: &Engine,
    actor: &Actor,
    name: &str,
    channel: Channel,
    template: TemplateId,
    topic: TopicId,
    filter: &str,
) -> Result<()> {
    let known =
        campaigns::list(engine, actor, Listed::All, &PageRequest { limit: 200, ..PageRequest::default() }).await?;
    if known.rows.iter().any(|row| row.campaign.form.name == name) {
        return Ok(());
    }
    let senders = senders::list(engine, actor).await?;
    let sender = senders.iter().find(|sender| sender.channel == channel && sender.enabled);
    let form = CampaignForm {
        name: name.to_owned(),
        sender: Some(sender.with_context(|| format!("there is no sender for {channel}"))?.id),
        template: Some(template),
        topic: Some(topic),
        audience: Audience { filter: filter.to_owned(), ..Audience::default() },
        ..CampaignForm::default()
    };
    campaigns::create(engine, actor, &form).await.with_context(|| name.to_owned())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use domain::phone;
    use std::collections::HashSet;

    #[test]
    fn at_any_hour_it_is_day_somewhere() {
        for start in ["2026-01-10T00:10:00Z", "2026-07-10T00:50:00Z"] {
            let start: DateTime<Utc> = start.parse().unwrap();
            for hours in 0..24 {
                assert!(cities_by_day(start + TimeDelta::hours(hours)).is_ok(), "{start} + {hours} h");
            }
        }
    }

    #[test]
    fn every_person_has_a_number_of_their_own_that_could_be_one() {
        let rows: Vec<String> = (0..PEOPLE).map(|n| row(n, &CITIES)).collect();
        let numbers: HashSet<&str> = rows.iter().filter_map(|row| row.split(',').next()).collect();
        assert_eq!(numbers.len(), PEOPLE);
        for number in &numbers {
            assert!(phone::normalise(number, None).is_ok(), "{number}");
        }
        for (_, zone, _) in CITIES {
            assert_eq!(Zone::parse(zone).map(|zone| zone.name().to_owned()), Ok(zone.to_owned()));
        }
        let agreed = rows.iter().filter(|row| row.split(',').nth(7) == Some("yes")).count();
        assert!((7_900..=8_100).contains(&agreed), "{agreed}");
    }
}
