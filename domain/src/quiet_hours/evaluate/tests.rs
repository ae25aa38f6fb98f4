use super::*;
use crate::quiet_hours::{DEFAULT, Window};
use proptest::prelude::*;

const ZONES: &[&str] = &[
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Europe/Berlin",
    "America/St_Johns",
    "Africa/Cairo",
    "Pacific/Apia",
    "America/Havana",
    "Asia/Kathmandu",
    "Pacific/Honolulu",
    "UTC",
];

fn zones(names: &[&str]) -> Vec<Zone> {
    names.iter().map(|name| Zone::parse(name).expect("a well-formed example")).collect()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a well-formed example")
}

fn place(country: &str, state: &str) -> Jurisdiction {
    Jurisdiction { country: Some(country.into()), state: Some(state.into()).filter(|state: &String| !state.is_empty()) }
}

fn daily(window: &str) -> Policy {
    Policy::new(vec![Rule::daily(DEFAULT, window.parse().expect("a well-formed example"))])
}

/// `Ok(until)` or `Err(next)`.
fn check(policy: &Policy, names: &[&str], place: &Jurisdiction, now: &str, expected: Result<&str, &str>) {
    let found = match next_allowed(policy, &zones(names), place, at(now)) {
        Hours::Allowed { until } => Ok(until),
        Hours::Quiet { next, .. } => Err(next),
        never @ Hours::Never { .. } => panic!("{never:?}"),
    };
    assert_eq!(found, expected.map(at).map_err(at), "{names:?} at {now}");
}

#[test]
fn an_ordinary_day() {
    let policy = Policy::shipped();
    let de = place("DE", "");
    for (now, expected) in [
        ("2026-06-01T05:59:59Z", Err("2026-06-01T06:00:00Z")),
        ("2026-06-01T06:00:00Z", Ok("2026-06-01T19:00:00Z")),
        ("2026-06-01T18:59:59Z", Ok("2026-06-01T19:00:00Z")),
        ("2026-06-01T19:00:00Z", Err("2026-06-02T06:00:00Z")),
        // The clock is put forward on the night to 29 March, back on the night to 25 October.
        ("2026-03-28T20:00:00Z", Err("2026-03-29T06:00:00Z")),
        ("2026-10-24T19:00:00Z", Err("2026-10-25T07:00:00Z")),
    ] {
        check(&policy, &["Europe/Berlin"], &de, now, expected);
    }
    check(&policy, &["Asia/Kolkata"], &place("IN", ""), "2026-06-01T00:00:00Z", Err("2026-06-01T02:30:00Z"));
    check(&policy, &[], &Jurisdiction::default(), "2026-06-01T00:00:00Z", Err("2026-06-01T08:00:00Z"));
}

#[test]
fn states_are_stricter() {
    let policy = Policy::shipped();
    let york = &["America/New_York"];
    check(&policy, york, &place("US", ""), "2026-06-02T00:30:00Z", Ok("2026-06-02T01:00:00Z"));
    check(&policy, york, &place("US", "FL"), "2026-06-02T00:30:00Z", Err("2026-06-02T12:00:00Z"));
    // Before the statute.
    check(&policy, york, &place("US", "FL"), "2021-06-02T00:30:00Z", Ok("2021-06-02T01:00:00Z"));
    // A Sunday in Texas begins at noon.
    check(&policy, &["America/Chicago"], &place("US", "TX"), "2026-06-07T15:00:00Z", Err("2026-06-07T17:00:00Z"));
    check(&policy, &["America/Chicago"], &place("US", "TX"), "2026-06-08T13:30:00Z", Err("2026-06-08T14:00:00Z"));
}

#[test]
fn the_deciding_rule_and_zone_are_named() {
    let found = |place: &Jurisdiction| match next_allowed(
        &Policy::shipped(),
        &zones(&["America/New_York", "America/Los_Angeles"]),
        place,
        at("2026-06-07T10:00:00Z"),
    ) {
        Hours::Quiet { next, rule, zone } => (next, rule, zone),
        other => panic!("{other:?}"),
    };
    let (next, rule, zone) = found(&place("US", "TX"));
    assert_eq!((next, zone.as_str()), (at("2026-06-07T19:00:00Z"), "America/Los_Angeles"));
    assert!(rule.contains("US-TX") && rule.contains("12:00-21:00") && rule.contains("301.051"), "{rule}");
}

#[test]
fn every_possible_zone_must_allow() {
    let us = place("US", "");
    let wide = &["America/New_York", "Pacific/Honolulu"];
    // 08:00 in Honolulu is 14:00 in New York; 21:00 in New York is 15:00 in Honolulu.
    check(&Policy::shipped(), wide, &us, "2026-06-01T13:00:00Z", Err("2026-06-01T18:00:00Z"));
    check(&Policy::shipped(), wide, &us, "2026-06-01T18:00:00Z", Ok("2026-06-02T01:00:00Z"));
    let policy = Policy::shipped()
        .with_campaign_window("08:00-12:00".parse().expect("a well-formed example"))
        .expect("a well-formed example");
    let never = next_allowed(&policy, &zones(wide), &us, at("2026-06-01T18:00:00Z"));
    assert!(matches!(never, Hours::Never { .. }), "{never:?}");
}

#[test]
fn clocks_that_jump() {
    let nowhere = Jurisdiction::default();
    let york = &["America/New_York"];
    // 02:30 does not exist on 8 March; the window opens when the clock jumps to 03:00.
    check(&daily("02:30-05:00"), york, &nowhere, "2026-03-08T05:00:00Z", Err("2026-03-08T07:00:00Z"));
    // A window that the clock leaps over altogether opens a day later.
    check(&daily("02:10-02:50"), york, &nowhere, "2026-03-08T05:00:00Z", Err("2026-03-09T06:10:00Z"));
    // 01:30 comes twice on 1 November, and quiet hours with it.
    let twice = daily("08:00-01:30");
    check(&twice, york, &nowhere, "2026-11-01T05:00:00Z", Ok("2026-11-01T05:30:00Z"));
    check(&twice, york, &nowhere, "2026-11-01T05:30:00Z", Err("2026-11-01T06:00:00Z"));
    check(&twice, york, &nowhere, "2026-11-01T06:00:00Z", Ok("2026-11-01T06:30:00Z"));
    check(&twice, york, &nowhere, "2026-11-01T06:30:00Z", Err("2026-11-01T13:00:00Z"));
    // Lord Howe moves its clocks by half an hour: 02:00 becomes 02:30 on 4 October.
    check(
        &daily("02:15-05:00"),
        &["Australia/Lord_Howe"],
        &nowhere,
        "2026-10-03T15:00:00Z",
        Err("2026-10-03T15:30:00Z"),
    );
    // Havana and Cairo move theirs at midnight.
    check(&daily("00:30-05:00"), &["America/Havana"], &nowhere, "2026-03-08T04:00:00Z", Err("2026-03-08T05:00:00Z"));
    // Samoa had no 30 December 2011.
    check(&daily("08:00-21:00"), &["Pacific/Apia"], &nowhere, "2011-12-30T09:00:00Z", Err("2011-12-30T18:00:00Z"));
}

#[test]
fn windows_over_midnight_and_around_the_clock() {
    let nowhere = Jurisdiction::default();
    let night = daily("22:00-02:00");
    check(&night, &["UTC"], &nowhere, "2026-06-01T21:00:00Z", Err("2026-06-01T22:00:00Z"));
    check(&night, &["UTC"], &nowhere, "2026-06-01T23:00:00Z", Ok("2026-06-02T02:00:00Z"));
    check(&night, &["UTC"], &nowhere, "2026-06-02T02:00:00Z", Err("2026-06-02T22:00:00Z"));
    check(&daily("00:00-24:00"), &["UTC"], &nowhere, "2026-06-01T21:00:00Z", Ok("2026-06-03T21:00:00Z"));
    let monday: Window = "08:00-09:00".parse().expect("a well-formed example");
    let weekly = Rule { windows: [Some(monday), None, None, None, None, None, None], ..Rule::daily(DEFAULT, monday) };
    check(&Policy::new(vec![weekly]), &["UTC"], &nowhere, "2026-06-01T09:00:00Z", Err("2026-06-08T08:00:00Z"));
    let closed = Rule { windows: [None; 7], ..Rule::daily(DEFAULT, monday) };
    let never = next_allowed(&Policy::new(vec![closed]), &zones(&["UTC"]), &nowhere, at("2026-06-01T09:00:00Z"));
    assert!(matches!(never, Hours::Never { .. }));
    // No rule forbids anything.
    check(&Policy::new(vec![]), &["UTC"], &nowhere, "2026-06-01T09:00:00Z", Ok("2026-06-03T09:00:00Z"));
}

#[test]
fn the_ends_of_time_are_survived() {
    for now in [DateTime::<Utc>::MIN_UTC + Duration::days(10), DateTime::<Utc>::MAX_UTC - Duration::days(10)] {
        let _ = next_allowed(&Policy::shipped(), &zones(ZONES), &place("US", "TX"), now);
    }
}

/// What the definition says, read off every wall clock.
fn allowed(policy: &Policy, zones: &[Zone], place: &Jurisdiction, at: DateTime<Utc>) -> bool {
    zones.iter().all(|zone| policy.applying(place).all(|rule| rule.allows(local(at, zone))))
}

/// Instants of 2026, half of them within two days of a change of clocks in New York, Lord Howe, Cairo or Berlin.
fn now() -> impl Strategy<Value = DateTime<Utc>> {
    let changes = ["2026-03-08", "2026-11-01", "2026-04-04", "2026-10-03", "2026-04-23", "2026-10-29", "2026-03-29"];
    let near = (prop::sample::select(changes.to_vec()), -172_800..172_800i64)
        .prop_map(|(day, seconds)| at(&format!("{day}T00:00:00Z")) + Duration::seconds(seconds));
    let any = (0..31_536_000i64).prop_map(|seconds| at("2026-01-01T00:00:00Z") + Duration::seconds(seconds));
    prop_oneof![near, any]
}

/// Windows that begin and end on the minute, or anything of the day; over midnight too.
fn window() -> impl Strategy<Value = Window> {
    (0..1440u16, 1..=1440u16).prop_filter_map("empty", |(from, to)| Window::new(from, to).ok())
}

fn policy() -> impl Strategy<Value = Policy> {
    let week = prop::array::uniform7(prop::option::weighted(0.8, window()));
    (window(), week, any::<bool>()).prop_map(|(default, windows, shipped)| {
        if shipped {
            return Policy::shipped();
        }
        let us = Rule { windows, ..Rule::daily("US", default) };
        Policy::new(vec![Rule::daily(DEFAULT, default), us])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// `next` is allowed, nothing before it is, and everything before `until` is: by looking at each minute.
    #[test]
    fn the_answer_is_what_looking_at_every_minute_finds(
        policy in policy(),
        names in prop::sample::subsequence(ZONES.to_vec(), 1..=2),
        state in prop::sample::select(vec!["", "FL", "TX"]),
        now in now(),
    ) {
        let zones = zones(&names);
        let place = place("US", state);
        let minutes = |until: DateTime<Utc>| {
            // Whole minutes, at which alone windows and clocks change, and `now` itself.
            let first = now + Duration::seconds(60 - now.timestamp().rem_euclid(60));
            std::iter::once(now).chain((0..).map(move |i| first + Duration::minutes(i)).take_while(move |at| *at < until))
        };
        let open = |at: DateTime<Utc>| allowed(&policy, &zones, &place, at);
        match next_allowed(&policy, &zones, &place, now) {
            Hours::Allowed { until } => {
                prop_assert!(minutes(until).all(open));
                prop_assert!(until == now + Duration::days(UNTIL_DAYS) || !open(until));
            }
            Hours::Quiet { next, .. } => {
                prop_assert!(next > now && open(next));
                prop_assert!(!minutes(next).any(open));
            }
            Hours::Never { .. } => prop_assert!(!minutes(now + Duration::days(SEARCH_DAYS)).any(open)),
        }
    }

    /// A campaign's window never opens what was closed.
    #[test]
    fn a_campaign_window_only_narrows(window in window(), name in prop::sample::select(ZONES.to_vec()), now in now()) {
        let zones = zones(&[name]);
        let place = place("US", "TX");
        if let Ok(narrow) = Policy::shipped().with_campaign_window(window)
            && let Hours::Allowed { until } = next_allowed(&narrow, &zones, &place, now)
        {
            let wide = next_allowed(&Policy::shipped(), &zones, &place, now);
            prop_assert!(matches!(wide, Hours::Allowed { until: later } if later >= until), "{wide:?}");
        }
    }
}
