//! Why a person gets a campaign's message, or why not.

use super::CampaignStatus;
use crate::{
    compliance::{Answer, Step},
    ids::CampaignId,
    message::{MessageRow, State},
    segment::SegmentMatch,
};
use serde::{Deserialize, Serialize};

/// Where a person stands to a campaign's audience.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// They have a message of it.
    In(Box<MessageRow>),
    /// The campaign did not start yet, and they would be in it if it started now.
    WouldBe,
    /// The campaign takes in its audience, and has not come to them yet.
    Coming,
    /// They do not match.
    DoesNotMatch,
    /// They became known after the launch, which froze the audience.
    CameLater,
    /// They match now, and did not when the audience was read.
    MatchesOnlyNow,
    /// They were merged into another person, who counts in their place.
    Merged,
}

/// Why a person gets a campaign's message, or why not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Why {
    /// The campaign.
    pub campaign: CampaignId,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: CampaignStatus,
    /// Where the person stands to its audience.
    pub place: Place,
    /// What each condition of the audience says of the person now.
    pub audience: SegmentMatch,
    /// The audience's filter in words; empty for everyone.
    pub filter: String,
    /// What each gate says of the person now; empty while sender or template are not chosen.
    pub steps: Vec<Step>,
}

impl Why {
    /// The answer in one sentence.
    pub fn summary(&self) -> String {
        match &self.place {
            Place::In(message) => self.of_message(message),
            Place::WouldBe => match self.stopper() {
                None => "Would get it, if it started now.".to_owned(),
                Some(step) => format!("Would be in the audience, and {}: {}.", would(step), step.fact),
            },
            Place::Coming => "Matches; the audience is still being taken in.".to_owned(),
            Place::DoesNotMatch => "Is not in the audience: does not match its filter.".to_owned(),
            Place::CameLater => "Is not in the audience: became known after the launch.".to_owned(),
            Place::MatchesOnlyNow => {
                "Is not in the audience: matches now, but did not when the audience was taken in.".to_owned()
            }
            Place::Merged => "Was merged into another person, who counts instead.".to_owned(),
        }
    }

    fn of_message(&self, message: &MessageRow) -> String {
        let because = message.reason.as_ref().or(message.error_text.as_ref());
        match (message.state, because) {
            (State::Pending, None) => match self.stopper() {
                None => "Is in the audience, and its turn comes.".to_owned(),
                Some(step) => format!("Is in the audience, and waits: {}.", step.fact),
            },
            (state, Some(because)) => format!("Has a message: {}. {because}.", state.label().to_lowercase()),
            (state, None) => format!("Has a message: {}.", state.label().to_lowercase()),
        }
    }

    /// The first gate that stands against the message, but that the campaign itself has not started.
    fn stopper(&self) -> Option<&Step> {
        let started = self.status != CampaignStatus::Draft && self.status != CampaignStatus::Scheduled;
        let counts = |step: &&Step| started || step.gate != crate::compliance::Gate::Campaign;
        self.steps.iter().filter(counts).find(|step| step.answer != Answer::Passes)
    }
}

const fn would(step: &Step) -> &'static str {
    match step.answer {
        Answer::Waits => "would wait",
        Answer::Stops | Answer::Passes => "would be skipped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compliance::Gate, ids::CampaignId};

    fn why(place: Place, steps: Vec<Step>) -> Why {
        Why {
            campaign: CampaignId(uuid::Uuid::nil()),
            name: "Autumn".into(),
            status: CampaignStatus::Draft,
            place,
            audience: SegmentMatch { matches: true, conditions: Vec::new() },
            filter: String::new(),
            steps,
        }
    }

    #[test]
    fn a_draft_is_no_reason_against_anybody() {
        let step = |gate, answer, fact: &str| Step { gate, answer, fact: fact.into(), until: None };
        let draft = step(Gate::Campaign, Answer::Waits, "the campaign is draft");
        let asleep = step(Gate::QuietHours, Answer::Waits, "night in Berlin");
        let left = step(Gate::Consent, Answer::Stops, "opted out of SMS");
        let check = |steps: &[&Step], expected: &str| {
            let steps = steps.iter().copied().cloned().collect();
            assert_eq!(why(Place::WouldBe, steps).summary(), expected);
        };
        check(&[&draft], "Would get it, if it started now.");
        check(&[&draft, &asleep], "Would be in the audience, and would wait: night in Berlin.");
        check(&[&draft, &left, &asleep], "Would be in the audience, and would be skipped: opted out of SMS.");
    }
}
