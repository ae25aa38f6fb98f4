//! One batch of rows into the tables, in one transaction.

use super::{
    ImportRecord,
    check::addresses,
    people::{Effect, Joined, Known, People, Person, Snapshot},
    stored::{self, Written},
};
use crate::{
    Engine, Error, Result, cells, consents,
    consents::{Entry, Held},
    db::{self, Kind, Rows},
    entity::user,
    subscriptions, values,
};
use domain::{
    attribute,
    consent::{ConsentKind, ConsentSource, ConsentState, Folded, Unmoved},
    filter::AttributeKind,
    ids::{ImportId, TopicId, UserId},
    import::{CleanRow, Field, ImportReport, ImportStatus, Repair, RowError, RowReason},
    phone::{Channel, Phone},
};
use sea_orm::ConnectionTrait;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// The most of a refused row that is kept, in bytes.
const RAW_MAX_BYTES: usize = 2_048;

/// A row, cleaned or refused.
#[derive(Debug)]
pub struct Row {
    pub line: u64,
    pub raw: String,
    pub clean: Result<CleanRow, Vec<RowError>>,
    /// What only a check looks at.
    pub findings: Option<Findings>,
}

/// What a check finds out about a row beside its errors.
#[derive(Debug, Default)]
pub struct Findings {
    /// Columns without a value.
    pub missing: Vec<usize>,
    /// Whether the number is a mobile one, or may be; `None` without a number.
    pub mobile: Option<bool>,
    /// A repair that would save the row.
    pub offer: Option<(Repair, String, String)>,
    /// Whether a row that goes in holds what cannot be read, in a column that is not imported.
    pub damaged: bool,
}

/// Whether rows are only judged, or go in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is written but the report and the refused rows.
    Check,
    /// They go in.
    Apply,
}

impl Mode {
    /// The status of an import at work in this mode.
    pub const fn status(self) -> ImportStatus {
        match self {
            Self::Check => ImportStatus::Checking,
            Self::Apply => ImportStatus::Running,
        }
    }
}

/// A batch whose people were found.
pub struct Prepared<'r> {
    rows: &'r [Row],
    people: Vec<Person>,
    said: Vec<Said>,
    rejects: Vec<(&'r Row, Vec<RowError>)>,
    report: ImportReport,
}

impl Prepared<'_> {
    /// Whether both are about somebody who is known already.
    pub fn shares_people_with(&self, other: &Self) -> bool {
        let ours: HashSet<Uuid> = self.people.iter().map(|person| person.id).collect();
        other.people.iter().any(|person| ours.contains(&person.id))
    }
}

/// Whether two batches name one address, so that the second must see what the first does.
pub fn share_addresses(one: &[Row], other: &[Row]) -> bool {
    !named(one).is_disjoint(&named(other))
}

/// The addresses that rows name.
fn named(rows: &[Row]) -> HashSet<&str> {
    let clean = rows.iter().filter_map(|row| row.clean.as_ref().ok());
    clean.flat_map(|row| addresses(row.phone.as_ref(), &row.profile)).collect()
}

/// What one import's batches have in common.
pub struct Context<'a> {
    pub engine: &'a Engine,
    pub import: &'a ImportRecord,
    pub mode: Mode,
    /// Topics by keyword.
    pub topics: HashMap<String, TopicId>,
    /// Declared attributes by name.
    pub attributes: BTreeMap<String, AttributeKind>,
}

impl Context<'_> {
    /// Finds out whom a batch is about, and what it does to them.
    pub async fn prepare<'r, C: ConnectionTrait>(&self, conn: &C, rows: &'r [Row]) -> Result<Prepared<'r>> {
        let mut report =
            ImportReport { rows: i64::try_from(rows.len()).unwrap_or(i64::MAX), ..ImportReport::default() };
        let mut rejects = Vec::new();
        let mut clean = Vec::with_capacity(rows.len());
        for row in rows {
            match row.clean.clone().and_then(|clean| self.fit(clean)) {
                Ok(parsed) => clean.push((row, parsed)),
                Err(errors) => rejects.push((row, errors)),
            }
        }
        let mut people = People::new(self.known(conn, &clean).await?, &self.import.options.policies);
        for (row, parsed) in clean {
            let repaired = parsed.repaired;
            match people.join(row.line, parsed, || self.engine.clock.new_id()) {
                Joined::First => {}
                Joined::Duplicate => report.duplicates += 1,
                Joined::Refused(error) => {
                    rejects.push((row, vec![error]));
                    continue;
                }
            }
            if let Some(repair) = repaired {
                count(&mut report.repaired, repair);
            }
        }
        let people = people.into_touched();
        for person in people.iter().filter(|person| !person.touched) {
            match person.effect() {
                Effect::Created => report.created += 1,
                Effect::Updated => report.updated += 1,
                Effect::Unchanged => report.unchanged += 1,
            }
        }
        let said = self.said(&people);
        Ok(Prepared { rows, people, said, rejects, report })
    }

    /// Locks whom it changes. Nobody else changes them until the transaction ends.
    ///
    /// # Errors
    /// [`Error::Conflict`] if somebody is not as they were found.
    pub async fn hold<C: ConnectionTrait>(&self, conn: &C, prepared: &Prepared<'_>) -> Result<Option<Held>> {
        match self.mode {
            Mode::Check => Ok(None),
            Mode::Apply => self.hold_people(conn, &prepared.people, &prepared.said).await.map(Some),
        }
    }

    /// Takes it in, or judges it, and answers what it counts.
    ///
    /// # Errors
    /// [`Error::Conflict`] if somebody was made meanwhile who has one of its addresses.
    pub async fn write<C: ConnectionTrait>(
        &self,
        conn: &C,
        prepared: Prepared<'_>,
        held: Option<Held>,
    ) -> Result<ImportReport> {
        let Prepared { rows, people, said, rejects, mut report } = prepared;
        match held {
            None => self.foresee(conn, rows, &people, &said, &mut report).await?,
            Some(held) => {
                self.write_people(conn, &people).await?;
                let raised = self.write_consents(conn, &people, held, &said, &mut report).await?;
                self.write_marks(conn, &people, &raised).await?;
                self.write_topics(conn, &people).await?;
            }
        }
        self.write_rejects(conn, rejects, &mut report).await?;
        Ok(report)
    }

    /// The row as what is declared has it: topics that exist, attributes of their kinds.
    fn fit(&self, mut row: CleanRow) -> Result<CleanRow, Vec<RowError>> {
        let mut errors = Vec::new();
        if let Some(key) = row.topics.iter().find(|key| !self.topics.contains_key(*key)) {
            errors.push(RowError {
                column: None,
                kind: "unknown_topic".to_owned(),
                message: format!("there is no topic with the keyword \"{key}\""),
            });
        }
        for (name, value) in &mut row.profile.attributes {
            let Some(kind) = self.attributes.get(name) else { continue };
            match attribute::fit(*kind, value) {
                Ok(fitted) => *value = fitted,
                Err(error) => {
                    let field = Some(Field::Attribute(name.clone()));
                    let column = self.import.options.mapping.columns.iter().position(|one| *one == field);
                    errors.push(RowReason::Attribute(error).at(column));
                }
            }
        }
        if errors.is_empty() { Ok(row) } else { Err(errors) }
    }

    /// Who is known at the addresses of the batch, in the order of their ids. Someone merged into another is found as
    /// that other.
    async fn known<C: ConnectionTrait>(&self, conn: &C, rows: &[(&Row, CleanRow)]) -> Result<Vec<Known>> {
        let phones = rows.iter().filter_map(|(_, row)| row.phone.as_ref().map(Phone::as_str)).collect();
        let ids = rows.iter().filter_map(|(_, row)| row.profile.whatsapp_id.as_deref()).collect();
        let mut found: BTreeMap<Uuid, user::Model> = BTreeMap::new();
        for (column, texts) in [("phone", phones), ("whatsapp_id", ids)] {
            found.extend(stored::at_addresses(conn, column, texts).await?.into_iter().map(|row| (row.id, row)));
        }
        let mut earlier: HashMap<Uuid, Vec<String>> = HashMap::new();
        for row in found.extract_if(.., |_, row| row.merged_into.is_some()).map(|(_, row)| row) {
            let addresses = row.phone.into_iter().chain(row.whatsapp_id);
            earlier.entry(row.merged_into.unwrap_or(row.id)).or_default().extend(addresses);
        }
        let merged = earlier.keys().copied().collect();
        found.extend(stored::by_id(conn, merged, "").await?.into_iter().map(|row| (row.id, row)));
        let found: Vec<user::Model> = found.into_values().collect();
        let touched = match self.mode {
            Mode::Apply => self.touched(conn, &found).await?,
            Mode::Check => HashSet::new(),
        };
        let mut known: Vec<Known> = found
            .into_iter()
            .map(|row| {
                let id = row.id;
                let Snapshot { phone, profile } = stored::snapshot(row)?;
                let earlier = earlier.remove(&id).unwrap_or_default();
                Ok(Known { id, phone, profile, earlier, exists: true, touched: touched.contains(&id) })
            })
            .collect::<Result<_>>()?;
        if self.mode == Mode::Check {
            self.add_checked(conn, rows, &mut known).await?;
        }
        Ok(known)
    }

    /// Locks those whom the batch changes, be it only their consent. They were read without a lock, because most of a file that
    /// comes again changes nobody: if one of them is not as read, the batch is done again.
    async fn hold_people<C: ConnectionTrait>(&self, conn: &C, people: &[Person], said: &[Said]) -> Result<Held> {
        let changes = |person: &&Person| person.known && (person.changed || !person.topics.is_empty());
        let changed = people.iter().filter(changes).map(|person| UserId(person.id));
        let entries: Vec<Entry<'_>> = said.iter().map(Said::entry).collect();
        let held = consents::hold_many(conn, &entries, changed, &newcomers(people)).await?;
        let before: HashMap<Uuid, &Person> = people.iter().map(|person| (person.id, person)).collect();
        let rows = stored::by_id(conn, held.people().iter().map(|user| user.0).collect(), db::lock(conn)).await?;
        // One who is gone, or was merged into another, is not among them.
        let mut as_read = rows.len() == held.people().len();
        for row in rows {
            let person = before.get(&row.id);
            let now = stored::snapshot(row)?;
            as_read &= person.is_some_and(|person| person.before.as_ref() == Some(&now));
        }
        if as_read { Ok(held) } else { Err(changed_meanwhile()) }
    }

    /// Whom earlier batches of this import had rows of.
    async fn touched<C: ConnectionTrait>(&self, conn: &C, found: &[user::Model]) -> Result<HashSet<Uuid>> {
        let ids = Rows::ids(found.iter().map(|row| row.id));
        let rows: Vec<Touched> = db::of_rows(conn, ids, values![self.import.id], |table| {
            format!("SELECT user_id FROM import_rows WHERE import_id = $1 AND user_id IN (SELECT r.id FROM {table})")
        })
        .await?;
        Ok(rows.into_iter().map(|row| row.user_id).collect())
    }

    async fn write_people<C: ConnectionTrait>(&self, conn: &C, people: &[Person]) -> Result<()> {
        let at = self.engine.clock.now();
        let of = |effect| {
            let these = people.iter().filter(|person| person.effect() == effect);
            these.map(|one| Written { id: one.id, phone: one.phone.as_ref(), profile: &one.profile }).collect()
        };
        let (new, changed) = (of(Effect::Created), of(Effect::Updated));
        // Whoever appeared since the look-up makes this fail, and the batch is done again with them known.
        stored::insert(conn, new, at).await?;
        stored::update(conn, changed, at).await
    }

    /// What undoing the import needs to know of each person. Someone of an earlier batch keeps the values before that.
    async fn write_marks<C: ConnectionTrait>(
        &self,
        conn: &C,
        people: &[Person],
        raised: &HashMap<Uuid, i16>,
    ) -> Result<()> {
        let marks: Vec<(&Person, Option<Value>, Option<Value>)> = people
            .iter()
            .filter(|person| !person.touched || person.changed || raised.contains_key(&person.id))
            .map(|person| {
                let was = person.before.as_ref().filter(|_| person.effect() == Effect::Updated);
                let is = was.map(|_| Snapshot { phone: person.phone.clone(), profile: person.profile.clone() });
                let (was, is) = (was.map(serde_json::to_value), is.map(serde_json::to_value));
                Ok((person, was.transpose()?, is.transpose()?))
            })
            .collect::<Result<_>>()?;
        let columns = [
            ("user_id", Kind::Id),
            ("line", Kind::Int),
            ("effect", Kind::Text),
            ("before", Kind::Json),
            ("after", Kind::Json),
            ("raised", Kind::Small),
        ];
        let marks = Rows::of(columns, marks, |(person, was, is)| {
            let line = i64::try_from(person.line).unwrap_or(i64::MAX);
            let raised = raised.get(&person.id).copied().unwrap_or(0);
            cells![person.id, line, person.effect().as_str(), was, is, raised]
        });
        db::bulk(conn, marks, values![self.import.id], |table| {
            format!(
                "INSERT INTO import_rows (import_id, user_id, line, effect, before, after, raised)
                 SELECT $1, r.user_id, r.line, r.effect, r.before, r.after, r.raised FROM {table} WHERE TRUE
                 ON CONFLICT (import_id, user_id) DO UPDATE SET
                     effect = CASE WHEN import_rows.effect = 'unchanged' THEN excluded.effect
                                   ELSE import_rows.effect END,
                     before = coalesce(import_rows.before, excluded.before),
                     after = coalesce(excluded.after, import_rows.after),
                     raised = import_rows.raised | excluded.raised"
            )
        })
        .await?;
        Ok(())
    }

    /// Records what the file says of consent, and answers on which channels it raised whose: 1 for SMS, 2 for WhatsApp.
    async fn write_consents<C: ConnectionTrait>(
        &self,
        conn: &C,
        people: &[Person],
        held: Held,
        said: &[Said],
        report: &mut ImportReport,
    ) -> Result<HashMap<Uuid, i16>> {
        let entries: Vec<Entry<'_>> = said.iter().map(Said::entry).collect();
        let outcomes = match consents::append_many(self.engine, conn, held, &entries, &newcomers(people)).await {
            // Erased since the look-up.
            Err(Error::NotFound { .. }) => return Err(changed_meanwhile()),
            outcomes => outcomes?,
        };
        Ok(self.count_consents(said, &outcomes, report))
    }

    /// What the file says of the consent of these people.
    pub(super) fn said(&self, people: &[Person]) -> Vec<Said> {
        let mut said = Vec::new();
        for person in people {
            for (channel, column, statement) in [
                (Channel::Sms, person.consent_sms, &self.import.options.sms_evidence),
                (Channel::Whatsapp, person.consent_whatsapp, &self.import.options.whatsapp_evidence),
            ] {
                let (kind, why) = match column {
                    Some(true) => (ConsentKind::OptIn, "the consent column says yes"),
                    Some(false) => (ConsentKind::OptOut, "the consent column says no"),
                    None if statement.is_empty() => continue,
                    None => (ConsentKind::OptIn, statement.as_str()),
                };
                said.push(Said { user: UserId(person.id), channel, kind, evidence: self.evidence(person.line, why) });
            }
        }
        said
    }

    /// Counts what came, or would come, of each entry.
    pub(super) fn count_consents(
        &self,
        said: &[Said],
        outcomes: &[Result<Folded, Unmoved>],
        report: &mut ImportReport,
    ) -> HashMap<Uuid, i16> {
        let (mut kept, mut raised) = (BTreeSet::new(), HashMap::new());
        for (said, outcome) in said.iter().zip(outcomes) {
            match outcome {
                Ok(folded) if folded.state == ConsentState::OptedIn => {
                    let (count, bit) = match said.channel {
                        Channel::Sms => (&mut report.sms_opted_in, RAISED_SMS),
                        Channel::Whatsapp => (&mut report.whatsapp_opted_in, RAISED_WHATSAPP),
                    };
                    *count += 1;
                    *raised.entry(said.user.0).or_insert(0) |= bit;
                }
                Err(Unmoved::OptedOut) => {
                    kept.insert(said.user);
                }
                _ => {}
            }
        }
        report.kept_opted_out += i64::try_from(kept.len()).unwrap_or(i64::MAX);
        raised
    }

    async fn write_topics<C: ConnectionTrait>(&self, conn: &C, people: &[Person]) -> Result<()> {
        let evidence: Vec<String> =
            people.iter().map(|person| self.evidence(person.line, "the topics column names it")).collect();
        let mut entries = Vec::new();
        for (person, evidence) in people.iter().zip(&evidence) {
            for topic in person.topics.iter().filter_map(|key| self.topics.get(key)) {
                entries.push(Entry {
                    user: UserId(person.id),
                    channel: if person.phone.is_some() { Channel::Sms } else { Channel::Whatsapp },
                    topic: Some(*topic),
                    kind: ConsentKind::Subscribe,
                    source: ConsentSource::Import,
                    sender: None,
                    evidence,
                });
            }
        }
        subscriptions::subscribe_many(self.engine, conn, &entries).await
    }

    fn evidence(&self, line: u64, why: &str) -> String {
        format!("import of \"{}\", line {line}: {why}", self.import.file_name)
    }

    async fn write_rejects<C: ConnectionTrait>(
        &self,
        conn: &C,
        rejects: Vec<(&Row, Vec<RowError>)>,
        report: &mut ImportReport,
    ) -> Result<()> {
        let mut reasons: BTreeMap<String, i64> = BTreeMap::new();
        let mut rows = Vec::new();
        for (row, errors) in rejects {
            report.rejected += 1;
            let distinct: BTreeSet<&String> = errors.iter().map(|error| &error.kind).collect();
            for kind in distinct {
                *reasons.entry(kind.clone()).or_default() += 1;
            }
            let raw = kept(&row.raw);
            for (part, error) in errors.into_iter().enumerate() {
                let field = error.column.map(|column| self.column(column));
                let error = RowError { message: kept(&error.message), ..error };
                let part = i64::try_from(part).unwrap_or(i64::MAX);
                rows.push((i64::try_from(row.line).unwrap_or(i64::MAX), part, error, field, raw.clone()));
            }
        }
        report.reasons = reasons.into_iter().collect();
        let columns = [
            ("line", Kind::Int),
            ("part", Kind::Int),
            ("reason", Kind::Text),
            ("message", Kind::Text),
            ("field", Kind::Text),
            ("raw", Kind::Text),
        ];
        let rows = Rows::of(columns, rows, |(line, part, error, field, raw)| {
            cells![line, part, error.kind, error.message, field, raw]
        });
        db::bulk(conn, rows, values![self.import.id], |table| {
            format!(
                "INSERT INTO import_rejects (import_id, line, part, reason, message, field, raw)
                 SELECT $1, r.line, r.part, r.reason, r.message, r.field, r.raw FROM {table}"
            )
        })
        .await?;
        Ok(())
    }

    /// What the file calls a column, or its number where the header has no name for it.
    pub(super) fn column(&self, column: usize) -> String {
        match self.import.file.columns.get(column).filter(|name| !name.is_empty()) {
            Some(name) => name.clone(),
            None => format!("column {}", column + 1),
        }
    }
}

/// Consent to SMS was recorded.
pub const RAISED_SMS: i16 = 1;
/// Consent to WhatsApp was recorded.
pub const RAISED_WHATSAPP: i16 = 2;

/// What the file says of one person's consent to a channel.
pub struct Said {
    pub user: UserId,
    pub channel: Channel,
    pub kind: ConsentKind,
    pub evidence: String,
}

impl Said {
    fn entry(&self) -> Entry<'_> {
        Entry {
            user: self.user,
            channel: self.channel,
            topic: None,
            kind: self.kind,
            source: ConsentSource::Import,
            sender: None,
            evidence: &self.evidence,
        }
    }
}

/// Those whom the batch makes.
fn newcomers(people: &[Person]) -> Vec<UserId> {
    people.iter().filter(|person| !person.known).map(|person| UserId(person.id)).collect()
}

fn count(counts: &mut Vec<(Repair, i64)>, repair: Repair) {
    match counts.iter_mut().find(|(one, _)| *one == repair) {
        Some((_, count)) => *count += 1,
        None => counts.push((repair, 1)),
    }
}

/// Makes the batch start again.
fn changed_meanwhile() -> Error {
    Error::conflict("someone of this batch was changed meanwhile")
}

#[derive(sea_orm::FromQueryResult)]
struct Touched {
    user_id: Uuid,
}

/// The part of a refused row, or of what is said of it, that is kept: its beginning, without NUL, which PostgreSQL's text cannot
/// hold.
pub(super) fn kept(raw: &str) -> String {
    let mut end = raw.len().min(RAW_MAX_BYTES);
    while !raw.is_char_boundary(end) {
        end -= 1;
    }
    raw[..end].replace('\0', "\u{2400}")
}

/// How many people of an import have no consent on any channel.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn without_consent<C: ConnectionTrait>(conn: &C, import: ImportId) -> Result<i64> {
    let count = db::scalar(
        conn,
        "SELECT count(*) AS value FROM import_rows r WHERE r.import_id = $1 AND NOT EXISTS (
             SELECT 1 FROM consents c WHERE c.user_id = r.user_id AND c.state = 'opted_in')",
        values![import.0],
    )
    .await?;
    Ok(count.unwrap_or(0))
}
