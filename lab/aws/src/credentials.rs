//! The operator's credentials while a run lasts: renewed before they end. Where they cannot be, what is
//! left of them is still given out, so that what was begun can be undone; and the run is told.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{
    ProvideCredentials, Result as Provided, SharedCredentialsProvider, future,
};
use aws_sdk_sts::error::DisplayErrorContext;
use aws_smithy_async::time::SharedTimeSource;
use chrono::{DateTime, Utc};
use lab::operator::OperatorWatch;
use tokio::sync::Mutex;

use crate::errors::explain;

/// How long before their end others are asked for: an undo fits into it.
const AHEAD: Duration = Duration::from_mins(5);
/// How long after a refusal nobody asks again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where credentials come from.
#[derive(Debug)]
pub enum Source {
    /// The SDK's own chain.
    Ambient(SharedCredentialsProvider),
    Role(RoleSession),
}

/// A role that is assumed, by a client of whoever may.
#[derive(Debug)]
pub struct RoleSession {
    pub sts: aws_sdk_sts::Client,
    pub role_arn: String,
    pub session_name: String,
}

impl Source {
    pub async fn fetch(&self) -> Provided {
        match self {
            Self::Ambient(chain) => chain.provide_credentials().await,
            Self::Role(role) => role.assume().await,
        }
    }
}

impl RoleSession {
    async fn assume(&self) -> Provided {
        let request = self.sts.assume_role().role_arn(&self.role_arn);
        let answer = request.role_session_name(&self.session_name).send().await;
        let answer = answer.map_err(CredentialsError::provider_error)?;
        let given = answer
            .credentials
            .ok_or_else(|| CredentialsError::unhandled("the answer has no Credentials"))?;
        let expires = SystemTime::try_from(given.expiration)
            .map_err(|_| CredentialsError::unhandled("the answer's Expiration is no time"))?;
        let token = Some(given.session_token);
        let (key, secret) = (given.access_key_id, given.secret_access_key);
        Ok(Credentials::new(key, secret, token, Some(expires), "lab-smoke's role"))
    }
}

/// Renews what its source gives.
#[derive(Debug)]
pub struct RenewedCredentials {
    source: Source,
    time: SharedTimeSource,
    watch: OperatorWatch,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    credentials: Credentials,
    /// None: never.
    renew_at: Option<SystemTime>,
}

impl RenewedCredentials {
    /// With what the source gave first.
    pub fn new(
        source: Source,
        first: Credentials,
        time: SharedTimeSource,
        watch: OperatorWatch,
    ) -> Self {
        let renew_at = when_to_renew(first.expiry(), time.now());
        Self { source, time, watch, held: Mutex::new(Held { credentials: first, renew_at }) }
    }

    async fn give(&self) -> Provided {
        let mut held = self.held.lock().await;
        let now = self.time.now();
        if held.renew_at.is_some_and(|at| at <= now) {
            match self.source.fetch().await {
                Ok(fresh) => {
                    self.watch.renewed(fresh.expiry().map(DateTime::<Utc>::from));
                    let renew_at = when_to_renew(fresh.expiry(), now);
                    *held = Held { credentials: fresh, renew_at };
                }
                Err(error) => {
                    let why = explain(&DisplayErrorContext(&error).to_string());
                    tracing::warn!(%why, "the operator's credentials cannot be renewed");
                    self.watch.lost(why);
                    held.renew_at = Some(now + PATIENCE);
                    if held.credentials.expiry().is_some_and(|end| end <= now) {
                        return Err(error);
                    }
                }
            }
        }
        let mut given = held.credentials.clone();
        // Whoever keeps them asks again when they are to be renewed.
        *given.expiry_mut() = match (held.renew_at, given.expiry()) {
            (Some(at), Some(end)) => Some(at.min(end)),
            (_, end) => end,
        };
        Ok(given)
    }
}

/// Ahead of the end, or half way to it where that is sooner.
fn when_to_renew(expiry: Option<SystemTime>, now: SystemTime) -> Option<SystemTime> {
    let end = expiry?;
    let left = end.duration_since(now).unwrap_or_default();
    Some(end - AHEAD.min(left / 2))
}

impl ProvideCredentials for RenewedCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.give())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use aws_smithy_async::time::TimeSource;
    use reports::record::Renewal;

    use super::*;

    /// Seconds, as the test sets them.
    #[derive(Clone, Debug, Default)]
    struct Hand(Arc<AtomicU64>);

    impl TimeSource for Hand {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
        }
    }

    impl Hand {
        fn set_minute(&self, minute: u64) {
            self.0.store(minute * 60, Ordering::SeqCst);
        }
    }

    /// Gives an hour from its own time, unless it refuses.
    #[derive(Clone, Debug)]
    struct Hourly {
        time: Hand,
        refuses: Arc<AtomicBool>,
    }

    impl ProvideCredentials for Hourly {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            if self.refuses.load(Ordering::SeqCst) {
                let error = CredentialsError::provider_error("ExpiredToken: the session ended");
                return future::ProvideCredentials::ready(Err(error));
            }
            let end = self.time.now() + Duration::from_hours(1);
            future::ProvideCredentials::ready(Ok(Credentials::new(
                "an id",
                "a key",
                Some("a token".to_owned()),
                Some(end),
                "hourly",
            )))
        }
    }

    #[tokio::test]
    async fn they_are_renewed_before_they_end_and_a_refusal_leaves_what_there_is() {
        let time = Hand::default();
        time.set_minute(0);
        let hourly = Hourly { time: time.clone(), refuses: Arc::default() };
        let first = hourly.provide_credentials().await.unwrap();
        let watch = OperatorWatch::of(None, Renewal::Possible);
        let source = Source::Ambient(SharedCredentialsProvider::new(hourly.clone()));
        let shared = SharedTimeSource::new(time.clone());
        let credentials = RenewedCredentials::new(source, first, shared, watch.clone());
        let asked_again_at = async || {
            let given = credentials.give().await?;
            let at = given.expiry().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            Ok::<_, CredentialsError>(at.as_secs() / 60)
        };

        assert_eq!(asked_again_at().await.unwrap(), 55, "five minutes before their end");
        time.set_minute(56);
        assert_eq!(asked_again_at().await.unwrap(), 56 + 55, "renewed");
        assert_eq!(watch.read().lost, None);

        hourly.refuses.store(true, Ordering::SeqCst);
        time.set_minute(56 + 56);
        assert!(asked_again_at().await.is_ok(), "the old ones are good for four minutes more");
        let lost = watch.read().lost.unwrap();
        assert!(lost.contains("ExpiredToken: the session ended"), "{lost}");
        time.set_minute(56 + 61);
        assert!(asked_again_at().await.is_err(), "nothing is left of them");
    }
}
