//! Rate limits by the generic cell rate algorithm (GCRA), with partial grants and weights.
//!
//! The same arithmetic runs here and in `engine/src/rate_limit.lua`; a test holds them equal.

/// A limit: so many units a second, and how many may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Units a second; never 0.
    pub per_second: u32,
    /// How many may come at once; at least 1.
    pub burst: u32,
}

impl Limit {
    /// A limit whose burst is 100 ms worth, at least 1 (DELIVERY.md, Rate).
    pub fn per_second(per_second: u32) -> Self {
        let per_second = per_second.max(1);
        Self { per_second, burst: (per_second / 10).max(1) }
    }

    /// Microseconds between units: a hundredth more than the limit needs. What leaves in time does not arrive at an even pace, and
    /// the provider counts by its own second (DELIVERY.md asks for at most 2 % above the limit in any, and within 3 % over a minute).
    pub fn gap_us(self) -> u64 {
        1_010_000_u64.div_ceil(u64::from(self.per_second)).max(1)
    }
}

/// The state of one limit: when the next unit would be due, in microseconds of the same clock as `now_us`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell {
    /// The theoretical arrival time; 0 when it was never used.
    pub due_us: u64,
}

/// How many of `wanted` units are granted now, or how long until one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// So many.
    Granted {
        /// At least 1.
        units: u32,
        /// How long until the turn of the first of them, in microseconds, at most the burst's worth. Units that are used
        /// each in its turn, one gap after the other, stay within the limit in any second, whoever else takes some.
        in_us: u64,
    },
    /// None for this long, in microseconds.
    Wait(u64),
}

/// How many of `wanted` units this cell would grant now. A cell that was never used starts with room for one unit: no
/// burst, so that a lost key never lets a crowd through.
pub fn room(cell: Cell, limit: Limit, now_us: u64, wanted: u32) -> Grant {
    let gap = limit.gap_us();
    let tolerance = gap * u64::from(limit.burst);
    let due = if cell.due_us == 0 { now_us + tolerance - gap } else { cell.due_us.max(now_us) };
    let room = (now_us + tolerance).saturating_sub(due) / gap;
    if room == 0 {
        return Grant::Wait((due + gap).saturating_sub(now_us + tolerance).max(1));
    }
    Grant::Granted { units: u32::try_from(room).unwrap_or(u32::MAX).min(wanted.max(1)), in_us: due - now_us }
}

/// The cell after so many units were taken.
pub fn take(cell: Cell, limit: Limit, now_us: u64, units: u32) -> Cell {
    let gap = limit.gap_us();
    let tolerance = gap * u64::from(limit.burst);
    let due = if cell.due_us == 0 { now_us + tolerance - gap } else { cell.due_us.max(now_us) };
    Cell { due_us: due + gap * u64::from(units) }
}

/// The cell after further units were charged, or, below 0, given back.
pub fn adjust(cell: Cell, limit: Limit, now_us: u64, units: i64) -> Cell {
    let count = u32::try_from(units.unsigned_abs()).unwrap_or(u32::MAX);
    if units >= 0 {
        return take(cell, limit, now_us, count);
    }
    // A cell that was used is never reset to "never used".
    Cell { due_us: cell.due_us.saturating_sub(limit.gap_us() * u64::from(count)).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// In no second, wherever it begins, is more granted than the limit and its burst.
        #[test]
        fn never_over_the_limit(per_second in 1u32..5_000, steps in proptest::collection::vec((0u64..60_000, 1u32..300), 1..200)) {
            let limit = Limit::per_second(per_second);
            let (mut cell, mut now, mut granted, mut turns) = (Cell::default(), 1_000_000u64, Vec::new(), Vec::new());
            for (wait, wanted) in steps {
                now += wait;
                if let Grant::Granted { units, in_us } = room(cell, limit, now, wanted) {
                    prop_assert!(units >= 1 && units <= wanted);
                    prop_assert!(in_us <= limit.gap_us() * u64::from(limit.burst));
                    cell = take(cell, limit, now, units);
                    granted.push((now, u64::from(units)));
                    turns.extend((0..u64::from(units)).map(|n| now + in_us + n * limit.gap_us()));
                }
            }
            // Used in their turns, they are never closer than the limit has them.
            for pair in turns.windows(2) {
                prop_assert!(pair[1] - pair[0] >= limit.gap_us(), "{pair:?}");
            }
            for (start, _) in &granted {
                let in_second: u64 = granted.iter().filter(|(at, _)| at >= start && *at < start + 1_000_000).map(|(_, n)| n).sum();
                prop_assert!(in_second <= u64::from(limit.per_second) + u64::from(limit.burst) + 1 + u64::from(per_second) / 50);
            }
        }

        /// Whoever waits as told is granted.
        #[test]
        fn waiting_is_enough(per_second in 1u32..5_000, taken in 1u32..1_000) {
            let limit = Limit::per_second(per_second);
            let cell = take(Cell::default(), limit, 1_000_000, taken);
            if let Grant::Wait(us) = room(cell, limit, 1_000_000, 1) {
                let granted = matches!(room(cell, limit, 1_000_000 + us, 1), Grant::Granted { units: 1, .. });
                prop_assert!(granted);
            }
        }
    }

    #[test]
    fn a_lost_key_gives_no_burst() {
        let limit = Limit::per_second(1_000);
        assert_eq!(room(Cell::default(), limit, 5_000_000, 500), Grant::Granted { units: 1, in_us: 99_990 });
    }
}
