//! What a campaign would do, worked out by the code that sends, without the provider.

use crate::{campaign::GateCount, phone::Channel};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The country of a price that holds where no other does.
pub const ANY_COUNTRY: &str = "*";
/// How many prices there may be.
pub const PRICES_MAX: usize = 2_000;
/// How many of the largest messages a forecast keeps.
pub const WORST_MAX: usize = 5;

/// What one part of a message costs: an SMS segment, or a WhatsApp message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Price {
    /// ISO 3166 two-letter code of the country, or [`ANY_COUNTRY`].
    pub country: String,
    /// The channel.
    pub channel: Channel,
    /// ISO 4217 code.
    pub currency: String,
    /// In millionths of the currency.
    pub micros: i64,
}

/// What the dry run adds up, slice by slice.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tally {
    /// How many people were asked.
    pub audience: i64,
    /// How many would be sent to at once.
    pub at_once: i64,
    /// What the gates said, `skip` or `defer`.
    pub gates: Vec<GateCount>,
    /// How many messages take so many parts.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, i64>))]
    pub parts: BTreeMap<u32, i64>,
    /// Messages and parts by country; of no country under the empty text.
    pub countries: BTreeMap<String, Load>,
    /// Parts by the person's zone (the empty text, where several are possible) and the second in which they are due.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, BTreeMap<String, Load>>))]
    pub waves: BTreeMap<String, BTreeMap<i64, Load>>,
    /// The largest messages.
    pub worst: Vec<Worst>,
}

/// Messages and their parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Load {
    /// How many messages.
    pub messages: i64,
    /// How many parts.
    pub parts: i64,
}

/// A message among the largest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Worst {
    /// To whom.
    pub user: crate::ids::UserId,
    /// The text.
    pub text: String,
    /// How many parts it takes.
    pub parts: u32,
}

/// What a campaign would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Forecast {
    /// Whether the whole audience was asked.
    pub is_complete: bool,
    /// Whether it is of the campaign as it is now.
    pub is_current: bool,
    /// When it was asked for.
    pub asked_at: DateTime<Utc>,
    /// When the campaign would begin.
    pub starts_at: DateTime<Utc>,
    /// When its last message would leave, at the sender's and the campaign's rate; `None` before all is known.
    pub finishes_at: Option<DateTime<Utc>>,
    /// By zone.
    pub zones: Vec<ZoneForecast>,
    /// What it would cost, by currency.
    pub costs: Vec<Cost>,
    /// Parts by country for which there is no price.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Vec<serde_json::Value>>))]
    pub unpriced: Vec<(String, i64)>,
    /// What was added up.
    pub tally: Tally,
}

/// One zone's share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ZoneForecast {
    /// The zone; empty where several are possible.
    pub zone: String,
    /// How many messages.
    pub messages: i64,
    /// When the first is due.
    pub first_at: DateTime<Utc>,
    /// When the last would leave.
    pub last_at: DateTime<Utc>,
}

/// A sum in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cost {
    /// ISO 4217 code.
    pub currency: String,
    /// In millionths of the currency.
    pub micros: i64,
}

impl Tally {
    /// How many would get a message, at once or later.
    pub fn messages(&self) -> i64 {
        self.parts.values().sum()
    }

    /// How many parts they take.
    pub fn part_count(&self) -> i64 {
        self.parts.iter().map(|(parts, messages)| i64::from(*parts) * messages).sum()
    }

    /// Counts what a gate said.
    pub fn count_gate(&mut self, gate: crate::compliance::Gate, verdict: &str) {
        match self.gates.iter_mut().find(|one| one.gate == gate && one.verdict == verdict) {
            Some(known) => known.count += 1,
            None => self.gates.push(GateCount { gate, verdict: verdict.to_owned(), count: 1 }),
        }
    }

    /// Counts a message of so many parts, due at an instant.
    pub fn count_message(&mut self, parts: u32, country: Option<&str>, zone: Option<&str>, due: DateTime<Utc>) {
        *self.parts.entry(parts).or_default() += 1;
        let by_country = self.countries.entry(country.unwrap_or_default().to_owned()).or_default();
        let by_zone = self.waves.entry(zone.unwrap_or_default().to_owned()).or_default();
        for load in [by_country, by_zone.entry(due.timestamp()).or_default()] {
            load.messages += 1;
            load.parts += i64::from(parts);
        }
    }

    /// Keeps a message, if it is among the largest.
    pub fn keep_worst(&mut self, user: crate::ids::UserId, text: &str, parts: u32) {
        let is_full = self.worst.len() >= WORST_MAX;
        if is_full && self.worst.last().is_some_and(|least| least.parts >= parts) {
            return;
        }
        let at = self.worst.partition_point(|one| one.parts >= parts);
        self.worst.insert(at, Worst { user, text: text.to_owned(), parts });
        self.worst.truncate(WORST_MAX);
    }

    /// When each zone's messages would leave, at so many parts a second: those that are due first go first.
    pub fn zones(&self, rate_per_second: u32) -> Vec<ZoneForecast> {
        let mut due: Vec<(i64, &str, Load)> = Vec::new();
        for (zone, waves) in &self.waves {
            due.extend(waves.iter().map(|(at, load)| (*at, zone.as_str(), *load)));
        }
        due.sort_unstable_by_key(|(at, ..)| *at);
        let mut zones: BTreeMap<&str, ZoneForecast> = BTreeMap::new();
        let mut free_at = DateTime::<Utc>::MIN_UTC;
        for (at, zone, load) in due {
            let at = DateTime::from_timestamp(at, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
            let millis = load.parts.saturating_mul(1_000) / i64::from(rate_per_second.max(1));
            free_at = free_at.max(at) + Duration::milliseconds(millis);
            let one = zones.entry(zone).or_insert_with(|| ZoneForecast {
                zone: zone.to_owned(),
                messages: 0,
                first_at: at,
                last_at: at,
            });
            one.messages += load.messages;
            one.last_at = free_at;
        }
        let mut zones: Vec<ZoneForecast> = zones.into_values().collect();
        zones.sort_by_key(|one| one.first_at);
        zones
    }

    /// What the parts cost on a channel by these prices, and by country the parts without one.
    pub fn costs(&self, channel: Channel, prices: &[Price]) -> (Vec<Cost>, Vec<(String, i64)>) {
        let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
        let mut unpriced = Vec::new();
        let of = |country: &str| prices.iter().find(|one| one.channel == channel && one.country == country);
        for (country, load) in &self.countries {
            match of(country).or_else(|| of(ANY_COUNTRY)) {
                Some(price) => {
                    let sum = sums.entry(&price.currency).or_default();
                    *sum = sum.saturating_add(price.micros.saturating_mul(load.parts));
                }
                None => unpriced.push((country.clone(), load.parts)),
            }
        }
        let costs = sums.into_iter().map(|(currency, micros)| Cost { currency: currency.to_owned(), micros });
        (costs.collect(), unpriced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compliance::Gate, ids::UserId};
    use uuid::Uuid;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000 + seconds, 0).expect("a fixed instant")
    }

    #[test]
    fn those_who_are_due_first_go_first() {
        let mut tally = Tally::default();
        for _ in 0..100 {
            tally.count_message(2, Some("US"), Some("America/New_York"), at(0));
        }
        tally.count_message(1, Some("DE"), Some("Europe/Berlin"), at(5));
        tally.count_message(1, None, None, at(3_600));
        assert_eq!((tally.messages(), tally.part_count()), (102, 202));
        let zones = tally.zones(10);
        let told: Vec<(&str, i64, i64, i64)> = zones
            .iter()
            .map(|one| {
                (
                    one.zone.as_str(),
                    one.messages,
                    (one.first_at - at(0)).num_seconds(),
                    (one.last_at - at(0)).num_seconds(),
                )
            })
            .collect();
        assert_eq!(told, [("America/New_York", 100, 0, 20), ("Europe/Berlin", 1, 5, 20), ("", 1, 3_600, 3_600)]);
    }

    #[test]
    fn costs_go_by_country_and_currency() {
        let mut tally = Tally::default();
        tally.count_message(2, Some("US"), None, at(0));
        tally.count_message(1, Some("DE"), None, at(0));
        tally.count_message(1, Some("LK"), None, at(0));
        let price = |country: &str, channel, currency: &str, micros| Price {
            country: country.to_owned(),
            channel,
            currency: currency.to_owned(),
            micros,
        };
        let mut prices = vec![
            price("US", Channel::Sms, "USD", 8_300),
            price("DE", Channel::Sms, "EUR", 75_000),
            price("LK", Channel::Whatsapp, "USD", 1),
        ];
        let cost = |currency: &str, micros| Cost { currency: currency.to_owned(), micros };
        let costs = vec![cost("EUR", 75_000), cost("USD", 16_600)];
        assert_eq!(tally.costs(Channel::Sms, &prices), (costs, vec![("LK".to_owned(), 1)]));
        prices.push(price(ANY_COUNTRY, Channel::Sms, "USD", 400));
        assert_eq!(tally.costs(Channel::Sms, &prices), (vec![cost("EUR", 75_000), cost("USD", 17_000)], vec![]));
    }

    #[test]
    fn the_largest_are_kept_in_order() {
        let mut tally = Tally::default();
        for parts in [1, 3, 2, 9, 4, 4, 5] {
            tally.keep_worst(UserId(Uuid::from_u128(parts.into())), "x", parts);
        }
        let kept: Vec<u32> = tally.worst.iter().map(|one| one.parts).collect();
        assert_eq!(kept, [9, 5, 4, 4, 3]);
        tally.count_gate(Gate::Consent, "skip");
        tally.count_gate(Gate::Consent, "skip");
        assert_eq!(tally.gates.len(), 1);
    }
}
