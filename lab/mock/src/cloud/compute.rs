//! Instances, and the states that take time.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Tags;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "EC2's own attributes, each by itself")]
pub struct Instance {
    pub id: String,
    pub reservation_id: String,
    pub image_id: String,
    pub instance_type: String,
    pub availability_zone: String,
    pub key_name: Option<String>,
    pub launched_at: DateTime<Utc>,
    /// The state when the last finished transition ended; [`Instance::state_at`] is the state now.
    pub state: InstanceState,
    pub changed_at: DateTime<Utc>,
    pub transition: Option<Transition>,
    pub state_reason: Option<StateReason>,
    /// The profile's name.
    pub instance_profile: Option<String>,
    pub root_device_name: String,
    #[serde(default)]
    pub client_token: String,
    /// Which of the instances of its launch it is.
    #[serde(default)]
    pub launch_index: usize,
    #[serde(default)]
    pub disable_api_termination: bool,
    #[serde(default)]
    pub disable_api_stop: bool,
    /// Launched on a one-time spot request.
    #[serde(default)]
    pub one_time_spot: bool,
    /// Its root is an instance store, not an EBS volume.
    #[serde(default)]
    pub instance_store_root: bool,
    /// How much longer than usual it takes from one state to the next.
    #[serde(default)]
    pub slow_ms: u64,
    /// The fate of the instance when it shuts itself down.
    #[serde(default)]
    pub shutdown_behavior: ShutdownBehavior,
    /// In base64, as it was given.
    #[serde(default)]
    pub user_data: Option<String>,
    pub tags: Tags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// The low byte of EC2's state code.
    pub fn code(self) -> u16 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    /// Where the state ends by itself, and after how long.
    fn leads_to(self) -> Option<(Self, TimeDelta)> {
        match self {
            Self::Pending => Some((Self::Running, TimeDelta::seconds(8))),
            Self::Stopping => Some((Self::Stopped, TimeDelta::seconds(20))),
            Self::ShuttingDown => Some((Self::Terminated, TimeDelta::seconds(15))),
            Self::Running | Self::Terminated | Self::Stopped => None,
        }
    }
}

/// EC2's `InstanceInitiatedShutdownBehavior`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShutdownBehavior {
    #[default]
    Stop,
    Terminate,
}

impl ShutdownBehavior {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Terminate => "terminate",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    pub to: InstanceState,
    pub at: DateTime<Utc>,
}

/// Why the instance is in its state, as AWS says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateReason {
    pub code: String,
    pub message: String,
    /// AWS's `reason`, such as `User initiated (2026-01-01 00:00:00 GMT)`.
    pub transition: String,
}

impl StateReason {
    fn user(code: &str, now: DateTime<Utc>) -> Self {
        Self {
            code: code.to_owned(),
            message: format!("{code}: User initiated shutdown"),
            transition: format!("User initiated ({})", now.format("%Y-%m-%d %H:%M:%S GMT")),
        }
    }
}

impl Instance {
    pub fn state_at(&self, now: DateTime<Utc>) -> InstanceState {
        match self.transition {
            Some(transition) if transition.at <= now => transition.to,
            _ => self.state,
        }
    }

    /// It is in `state` now, and goes on from there in its time.
    pub fn enter(&mut self, state: InstanceState, now: DateTime<Utc>) {
        self.state = state;
        self.changed_at = now;
        let slow = TimeDelta::milliseconds(i64::try_from(self.slow_ms).unwrap_or(i64::MAX));
        let leads_to = state.leads_to();
        self.transition = leads_to.map(|(to, after)| Transition { to, at: now + after + slow });
        self.state_reason = match state {
            InstanceState::Stopping => Some(StateReason::user("Client.UserInitiatedShutdown", now)),
            InstanceState::ShuttingDown => {
                Some(StateReason::user("Client.UserInitiatedShutdown", now))
            }
            _ => None,
        };
        if state == InstanceState::Pending {
            self.launched_at = now;
        }
    }

    /// Its operating system powers it off: nobody asked EC2.
    pub fn shut_itself_down(&mut self, now: DateTime<Utc>) {
        self.enter(
            match self.shutdown_behavior {
                ShutdownBehavior::Stop => InstanceState::Stopping,
                ShutdownBehavior::Terminate => InstanceState::ShuttingDown,
            },
            now,
        );
        let code = "Client.InstanceInitiatedShutdown";
        self.state_reason = Some(StateReason {
            code: code.to_owned(),
            message: format!("{code}: Instance initiated shutdown"),
            transition: String::new(),
        });
    }
}
