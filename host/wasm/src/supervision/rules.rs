//! What a plugin's component may do wrong before its calls are refused.

use std::time::Duration;

/// How a plugin is supervised. A *strike* is a call that cost an instance: a trap, a spent budget, a broken promise; and an
/// instance that did not start. An error that a guest returns in good order is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SupervisionRules {
    /// The strike that quarantines the component.
    pub strikes_max: u32,
    /// How long no call is made after the second strike (the first costs its instance only); each further one doubles it.
    /// Half of it is left to chance.
    pub backoff: Duration,
    /// Longest back-off.
    pub backoff_max: Duration,
    /// How long a component serves without a strike until one is forgiven. Zero forgives none.
    pub forgive_after: Duration,
    /// What is done about a quarantine.
    pub remedy: Remedy,
}

/// What is done about a quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Remedy {
    /// Nothing: calls are refused until somebody swaps the component, or releases it.
    #[default]
    Wait,
    /// The component that served before is put back, if one is known and is not quarantined itself. Keeps its compiled code
    /// in memory.
    LastGood,
}

impl Default for SupervisionRules {
    fn default() -> Self {
        Self {
            // With the waits below: about three minutes of nothing but failure.
            strikes_max: 10,
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            // So that a single bad page a day never adds up, and one every minute does.
            forgive_after: Duration::from_secs(300),
            remedy: Remedy::Wait,
        }
    }
}
