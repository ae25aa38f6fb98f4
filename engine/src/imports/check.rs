//! The check of a file: every row judged as it would go in, and nothing written but the report.

use super::{
    batch::{Context, Row, Said, kept},
    people::{Known, Person, Snapshot},
};
use crate::{
    Error, Result, cells, consents,
    db::{self, Kind, Rows},
    values,
};
use domain::{
    attribute::shown,
    consent::{ConsentKind, ConsentSource, ConsentState, Folded, fold},
    ids::{ImportId, UserId},
    import::{Change, CleanRow, ImportReport, Offer, Profile, RUN_COUNTED, Repair, Sequences},
    phone::{Channel, Phone},
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use uuid::Uuid;

/// How many changes of each kind a report shows, and how many damaged rows it names.
pub(super) const SHOWN: usize = 10;

#[derive(FromQueryResult)]
struct Address {
    address: String,
}

impl Context<'_> {
    /// Adds to the people of a batch those whom earlier batches of this check met: they are not made, so that the database
    /// does not have them, and yet a further row of theirs is a duplicate.
    pub(super) async fn add_checked<C: ConnectionTrait>(
        &self,
        conn: &C,
        rows: &[(&Row, CleanRow)],
        known: &mut Vec<Known>,
    ) -> Result<()> {
        let in_rows = rows.iter().flat_map(|(_, row)| addresses(row.phone.as_ref(), &row.profile));
        let of_known = known.iter().flat_map(|person| addresses(person.phone.as_ref(), &person.profile));
        let asked: BTreeSet<&str> = in_rows.chain(of_known).collect();
        let asked = Rows::of([("address", Kind::Text)], asked, |address| cells![address]);
        let met: Vec<Address> = db::of_rows(conn, asked, values![self.import.id], |table| {
            format!(
                "SELECT c.address FROM import_checks c
                 WHERE c.import_id = $1 AND c.address IN (SELECT r.address FROM {table})"
            )
        })
        .await?;
        let mut met: HashSet<String> = met.into_iter().map(|row| row.address).collect();
        for person in known.iter_mut() {
            let theirs: Vec<String> = addresses(person.phone.as_ref(), &person.profile).map(str::to_owned).collect();
            person.touched = theirs.iter().any(|address| met.contains(address));
            theirs.iter().for_each(|address| {
                met.remove(address);
            });
        }
        for (_, row) in rows {
            let theirs = || addresses(row.phone.as_ref(), &row.profile);
            if theirs().any(|address| met.contains(address)) {
                known.push(Known {
                    id: self.engine.clock.new_id(),
                    phone: row.phone.clone(),
                    profile: Profile { whatsapp_id: row.profile.whatsapp_id.clone(), ..Profile::default() },
                    earlier: Vec::new(),
                    exists: false,
                    touched: true,
                });
                theirs().for_each(|address| {
                    met.remove(address);
                });
            }
        }
        Ok(())
    }

    /// Counts what the batch would do, and remembers whom it met.
    pub(super) async fn foresee<C: ConnectionTrait>(
        &self,
        conn: &C,
        rows: &[Row],
        people: &[Person],
        said: &[Said],
        report: &mut ImportReport,
    ) -> Result<()> {
        self.note_findings(rows, report);
        for person in people.iter().filter(|person| !person.touched && (person.changed || !person.known)) {
            note_change(person, report);
        }
        self.foresee_consents(conn, people, said, report).await?;
        let met: BTreeSet<&str> =
            people.iter().flat_map(|person| addresses(person.phone.as_ref(), &person.profile)).collect();
        let met = Rows::of([("address", Kind::Text)], met, |address| cells![address]);
        db::bulk(conn, met, values![self.import.id], |table| {
            format!(
                "INSERT INTO import_checks (import_id, address) SELECT $1, r.address FROM {table} WHERE TRUE
                 ON CONFLICT (import_id, address) DO NOTHING"
            )
        })
        .await?;
        Ok(())
    }

    fn note_findings(&self, rows: &[Row], report: &mut ImportReport) {
        let mut missing: BTreeMap<usize, i64> = BTreeMap::new();
        for (row, findings) in rows.iter().filter_map(|row| Some((row, row.findings.as_ref()?))) {
            if findings.damaged {
                report.damaged += 1;
                if report.damaged_rows.len() < SHOWN {
                    report.damaged_rows.push(row.line);
                }
            }
            for column in &findings.missing {
                *missing.entry(*column).or_default() += 1;
            }
            match findings.mobile {
                Some(true) => report.quality.mobile += 1,
                Some(false) => report.quality.other_lines += 1,
                None => {}
            }
            if let Some((repair, before, after)) = &findings.offer {
                note_offer(&mut report.offers, *repair, before, after);
            }
        }
        let missing = missing.into_iter().map(|(column, rows)| (self.column(column), rows));
        report.quality.missing = missing.collect();
    }

    async fn foresee_consents<C: ConnectionTrait>(
        &self,
        conn: &C,
        people: &[Person],
        said: &[Said],
        report: &mut ImportReport,
    ) -> Result<()> {
        let known = people.iter().filter(|person| person.known).map(|person| UserId(person.id));
        let mut standing = consents::standing_of(conn, known).await?;
        let mut outcomes = Vec::with_capacity(said.len());
        for said in said {
            let current: &mut Folded = standing.entry((said.user, said.channel)).or_default();
            let kind: ConsentKind = said.kind;
            let outcome = fold(current.clone(), kind, ConsentSource::Import, None);
            if let Ok(next) = &outcome {
                *current = next.clone();
            }
            outcomes.push(outcome);
        }
        self.count_consents(said, &outcomes, report);
        let agrees = |person: &Person| {
            Channel::ALL.iter().any(|channel| {
                let found = standing.get(&(UserId(person.id), *channel));
                found.is_some_and(|folded| folded.state == ConsentState::OptedIn)
            })
        };
        let without = people.iter().filter(|person| !person.touched && !agrees(person)).count();
        report.without_consent += i64::try_from(without).unwrap_or(i64::MAX);
        Ok(())
    }
}

/// Whom a row is about, or by what a person is found.
pub(super) fn addresses<'a>(phone: Option<&'a Phone>, profile: &'a Profile) -> impl Iterator<Item = &'a str> {
    phone.map(Phone::as_str).into_iter().chain(profile.whatsapp_id.as_deref())
}

fn note_offer(offers: &mut Vec<Offer>, repair: Repair, before: &str, after: &str) {
    match offers.iter_mut().find(|offer| offer.repair == repair) {
        Some(offer) => offer.rows += 1,
        None => offers.push(Offer { repair, rows: 1, before: kept(before), after: kept(after) }),
    }
}

fn note_change(person: &Person, report: &mut ImportReport) {
    let shown = report.changes.iter().filter(|change| change.created != person.known).count();
    if shown >= SHOWN {
        return;
    }
    let now = Snapshot { phone: person.phone.clone(), profile: person.profile.clone() };
    let (before, after) = (person.before.as_ref().map(described).unwrap_or_default(), described(&now));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let value = |of: &BTreeMap<String, String>, name: &String| of.get(name).cloned().unwrap_or_default();
    let fields = names
        .into_iter()
        .map(|name| (name.clone(), value(&before, name), value(&after, name)))
        .filter(|(_, before, after)| before != after)
        .collect();
    let address = addresses(person.phone.as_ref(), &person.profile).next().unwrap_or_default().to_owned();
    report.changes.push(Change { line: person.line, created: !person.known, address, fields });
}

/// A person's fields in words.
fn described(snapshot: &Snapshot) -> BTreeMap<String, String> {
    let profile = &snapshot.profile;
    let plain = [
        ("phone", snapshot.phone.as_ref().map(ToString::to_string)),
        ("whatsapp_id", profile.whatsapp_id.clone()),
        ("name", profile.name.clone()),
        ("locale", profile.locale.clone()),
        ("zone", profile.zone.clone()),
    ];
    let plain = plain.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    plain.chain(profile.attributes.iter().map(|(name, value)| (name.clone(), shown(value)))).collect()
}

#[derive(FromQueryResult)]
struct Runs {
    longest: i64,
    in_runs: i64,
}

/// Runs of following numbers among those whom the check met.
///
/// # Errors
/// [`Error::Unavailable`].
pub(super) async fn sequences<C: ConnectionTrait>(conn: &C, import: ImportId) -> Result<Sequences> {
    // Numbers that follow one another have one difference to their place in the order.
    let runs: Option<Runs> = db::one(
        conn,
        "SELECT coalesce(max(n), 0) AS longest, CAST(coalesce(sum(CASE WHEN n >= $2 THEN n ELSE 0 END), 0) AS bigint) AS in_runs
         FROM (SELECT count(*) AS n FROM (
             SELECT CAST(substr(address, 2) AS bigint)
                 - row_number() OVER (ORDER BY CAST(substr(address, 2) AS bigint)) AS run
             FROM import_checks WHERE import_id = $1 AND address LIKE '+%') AS numbers
         GROUP BY run) AS runs",
        values![import.0, RUN_COUNTED],
    )
    .await?;
    let runs = runs.ok_or_else(|| Error::internal("an aggregate has a row"))?;
    Ok(Sequences { longest: runs.longest, in_runs: runs.in_runs })
}

/// Forgets whom the check met.
///
/// # Errors
/// [`Error::Unavailable`].
pub(super) async fn forget<C: ConnectionTrait>(conn: &C, import: Uuid) -> Result<()> {
    db::exec(conn, "DELETE FROM import_checks WHERE import_id = $1", values![import]).await?;
    Ok(())
}
