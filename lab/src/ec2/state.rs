//! The states that an instance can be in, and which of them cost.

use serde::{Deserialize, Serialize};

/// EC2's names. One that is not known here is kept as it came, and costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum InstanceState {
    Pending,
    Running,
    Stopping,
    Stopped,
    ShuttingDown,
    Terminated,
    Other(String),
}

impl InstanceState {
    /// Reads a state as EC2 writes it, as `shutting-down`.
    pub fn parse(name: &str) -> Self {
        match name {
            "pending" => Self::Pending,
            "running" => Self::Running,
            "stopping" => Self::Stopping,
            "stopped" => Self::Stopped,
            "shutting-down" => Self::ShuttingDown,
            "terminated" => Self::Terminated,
            other => Self::Other(other.to_owned()),
        }
    }

    /// EC2's name of the state, as `shutting-down`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Other(name) => name,
        }
    }

    /// Whether the instance runs up costs in it: what is not seen to rest does.
    pub fn costs(&self) -> bool {
        !matches!(self, Self::Stopped | Self::Terminated)
    }

    /// Whether it ends by itself: EC2 refuses to stop or start an instance until it has.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Pending | Self::Stopping | Self::ShuttingDown)
    }

    /// Whether the instance is gone, or going for good: nothing brings it back.
    pub fn is_the_end(&self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

impl From<String> for InstanceState {
    fn from(name: String) -> Self {
        Self::parse(&name)
    }
}

impl From<InstanceState> for String {
    fn from(state: InstanceState) -> Self {
        state.as_str().to_owned()
    }
}

impl std::fmt::Display for InstanceState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_rest_costs_and_what_passes_by_itself_is_waited_for() {
        // Of each state: whether it costs, passes, is the end.
        let table = [
            ("pending", true, true, false),
            ("running", true, false, false),
            ("stopping", true, true, false),
            ("stopped", false, false, false),
            ("shutting-down", true, true, true),
            ("terminated", false, false, true),
            ("hibernating", true, false, false),
            ("", true, false, false),
        ];
        for (name, costs, passes, end) in table {
            let state = InstanceState::parse(name);
            let given = (state.costs(), state.passes(), state.is_the_end());
            assert_eq!(given, (costs, passes, end), "{name}");
            assert_eq!((state.to_string().as_str(), String::from(state).as_str()), (name, name));
        }
    }
}
