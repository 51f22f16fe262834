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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use aws_sdk_ec2::error::ErrorMetadata;
    use aws_sdk_ec2::operation::terminate_instances::TerminateInstancesOutput as Taken;
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn acted(outcome: Outcome) -> Acted<()> {
        Acted { outcome, detail: String::new(), samples: Vec::new(), value: () }
    }

    /// The pauses double up to the longest, and the deadline ends it.
    #[tokio::test(start_paused = true)]
    async fn what_ec2_may_take_later_is_asked_ever_more_rarely_until_the_deadline() {
        let lab = crate::deaf::open_deaf_lab();
        let since = lab.clock.stopwatch();
        let tries = RefCell::new(Vec::new());
        let once = async || {
            let mut tries = tries.borrow_mut();
            tries.push(since.elapsed().as_secs());
            // Whoever never ends would not be told by a test that waits for it.
            assert!(tries.len() < 50, "{tries:?}");
            Ok(Tried::Again(acted(Outcome::NotDone)))
        };
        let given = lab.until_taken(once).await.expect("tried");
        assert_eq!(given.outcome, Outcome::NotDone);
        let tries = tries.into_inner();
        assert_eq!(tries[..7], [0, 1, 3, 7, 15, 31, 61]);
        assert_eq!(tries.last(), Some(&601));
    }

    #[test]
    #[expect(clippy::result_large_err, reason = "it is the SDK's")]
    fn only_what_ec2_says_that_it_did_not_do_is_asked_again() {
        type Said = Result<Taken, SdkError<ErrorMetadata>>;
        let refused = |code: &str| -> Said {
            let error = ErrorMetadata::builder().code(code).message("why").build();
            let status = 400.try_into().expect("a status");
            Err(SdkError::service_error(error, HttpResponse::new(status, SdkBody::empty())))
        };
        assert_eq!(read_request_id(Said::Ok(Taken::builder().build())), Ok(None));
        let table = [
            (refused("IncorrectState"), true, "IncorrectState: why"),
            (refused("UnauthorizedOperation"), false, "UnauthorizedOperation: why"),
            (Err(SdkError::timeout_error("nobody answers")), false, "nobody answers"),
        ];
        for (said, again, words) in table {
            let not_taken = read_request_id(said).expect_err(words);
            assert_eq!(not_taken.again, again, "{words}");
            assert!(not_taken.words.contains(words), "{}", not_taken.words);
        }
    }
}
