//! A request to EC2, recorded before it is sent, sent once, and read back. What EC2 says that it did
//! not do is asked again within the deadline, each time with an intent of its own; a request whose
//! answer was lost never is.

use std::time::Duration;

use aws_sdk_ec2::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId as HasRequestId;
use reports::journal::Writer;
use reports::record::Outcome;

use super::mutator::DEADLINE;
use super::{Acted, Mutation, NotTried, Progress, finish_request, until_seen};
use crate::Lab;
use crate::ec2::{ReadError, leave_out_encoded};
use crate::permit::Permit;

/// The first pause before a request is made again; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// With these EC2 says that nothing was done, and that it may be later.
const LATER: &[&str] = &[
    "DependencyViolation",
    "EC2ThrottledException",
    "IncorrectInstanceState",
    "IncorrectState",
    "InvalidIPAddress.InUse",
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "VolumeInUse",
];

/// Why a request was not answered with success.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotTaken {
    /// Whether EC2 said that it was not done, and that it may be asked again.
    again: bool,
    /// For people.
    words: String,
    request_id: RequestId,
}

/// The service's id of a request that it took; none where its answer has none.
pub(super) type RequestId = Option<String>;

/// The answer to a request, for people: it is never the proof.
pub(super) fn read_request_id<T: HasRequestId, E>(
    result: Result<T, SdkError<E>>,
) -> Result<RequestId, NotTaken>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let error = match result {
        Ok(answer) => return Ok(answer.request_id().map(str::to_owned)),
        Err(error) => error,
    };
    let request_id = error.request_id().map(str::to_owned);
    Err(match error.code() {
        Some(code) => NotTaken {
            again: LATER.contains(&code),
            words: format!("{code}: {}", leave_out_encoded(error.message().unwrap_or_default())),
            request_id,
        },
        None => {
            NotTaken { again: false, words: DisplayErrorContext(&error).to_string(), request_id }
        }
    })
}

/// The result of one request.
pub(super) enum Tried {
    Came(Acted<()>),
    /// Certainly not done, and it may be later.
    Again(Acted<()>),
}

impl Lab {
    /// Tries until EC2 takes it, or the deadline is over. Each try proves its target anew.
    pub(super) async fn until_taken(
        &self,
        once: impl AsyncFn() -> Result<Tried, NotTried>,
    ) -> Result<Acted<()>, NotTried> {
        let since = self.clock.stopwatch();
        let mut pause = PAUSE;
        loop {
            match once().await? {
                Tried::Came(acted) => return Ok(acted),
                Tried::Again(acted) if since.elapsed() >= DEADLINE => return Ok(acted),
                Tried::Again(_) => {}
            }
            self.clock.sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Records the intent, sends the request once, and looks until it is so.
    pub(super) async fn request(
        &self,
        permit: &dyn Permit,
        journal: &Writer,
        mutation: &Mutation,
        send: impl Future<Output = Result<RequestId, NotTaken>>,
        look: impl AsyncFn() -> Result<Progress, ReadError>,
    ) -> Result<Tried, NotTried> {
        let intent = mutation.begin(self, permit, journal)?;
        let said = send.await;
        let request_id = match &said {
            Ok(request_id) | Err(NotTaken { request_id, .. }) => request_id.clone(),
        };
        if let Err(NotTaken { again: true, words, .. }) = &said {
            let detail = format!("EC2 refused it: {words}");
            let acted = Acted { outcome: Outcome::NotDone, detail, samples: vec![], value: () };
            return Ok(Tried::Again(finish_request(self, journal, &intent, acted, request_id)));
        }
        // A request that was refused is given only a short while: somebody else may have done it,
        // or its reply was lost after it was done.
        let patience = if said.is_ok() { DEADLINE } else { Duration::from_mins(1) };
        let (outcome, seen, samples) = until_seen(self, patience, look).await;
        let answer = said.err().map(|it| format!("; EC2 answered: {}", it.words));
        let detail = format!("{seen}{}", answer.unwrap_or_default());
        let acted = Acted { outcome, detail, samples, value: () };
        Ok(Tried::Came(finish_request(self, journal, &intent, acted, request_id)))
    }
}
