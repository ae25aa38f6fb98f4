//! What several rounds came to.

/// The median of several rounds, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The one in the middle, or between the two in the middle.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of these; zeros of none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let median = match values.len() {
            0 => 0.0,
            count if count.is_multiple_of(2) => f64::midpoint(values[count / 2 - 1], values[count / 2]),
            count => values[count / 2],
        };
        Self {
            median,
            least: values.first().copied().unwrap_or_default(),
            most: values.last().copied().unwrap_or_default(),
        }
    }

    /// Of each round's value by what its peer came to in the same round.
    pub fn of_ratios(values: &[f64], peers: &[f64]) -> Self {
        Self::of(values.iter().zip(peers).map(|(value, peer)| value / peer))
    }
}
