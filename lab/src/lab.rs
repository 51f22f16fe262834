//! One lab, put together: the EC2 API, the nodes, the clock, and the manifest that says which.

use std::rc::Rc;
use std::time::Duration;

use reports::record::{AskedElsewhere, LabKind};

use crate::act::{Mutator, SwitchTimes};
use crate::clock::Clock;
use crate::ec2::{AwsConnection, Reader};
use crate::manifest::{DAEMON_ROUNDS_MS, LOOK_AGAIN_MS_ON_EC2, Manifest};
use crate::operator::{Notices, OperatorWatch};
#[cfg(feature = "sabotage")]
use crate::sabotage::Sabotage;
use crate::shell::{Shell, Transport};

/// Keeps the lab for the next process after each mutation. Where it cannot, it says why: the run's own
/// record is lost then.
pub type AfterEffect = Rc<dyn Fn() -> Result<(), String>>;

/// The lab that the scenarios run on. They never ask which lab it is.
#[derive(Clone)]
pub struct Lab {
    pub manifest: Rc<Manifest>,
    pub clock: Clock,
    pub reader: Reader,
    pub shell: Shell,
    pub(crate) mutator: Mutator,
    pub(crate) switch_times: SwitchTimes,
    after_effect: AfterEffect,
    has_ended: Rc<dyn Fn() -> bool>,
    #[cfg(feature = "sabotage")]
    sabotage: Option<Sabotage>,
    #[cfg(feature = "sabotage")]
    detector_off: Option<&'static str>,
    own_signers: Option<Rc<str>>,
    /// The state of the operator's credentials.
    pub operator: OperatorWatch,
    /// Records that somebody below the run has for its journal.
    pub notices: Notices,
    elsewhere: Rc<[AskedElsewhere]>,
}

impl Lab {
    /// `after_effect` is called after each mutation, whatever came of it.
    pub fn new(
        manifest: Manifest,
        clock: Clock,
        connection: &AwsConnection,
        transport: Rc<dyn Transport>,
        after_effect: AfterEffect,
    ) -> Self {
        Self {
            manifest: Rc::new(manifest),
            clock,
            reader: Reader::new(connection),
            shell: Shell::new(transport, clock),
            mutator: Mutator::new(connection),
            switch_times: SwitchTimes::default(),
            after_effect,
            has_ended: Rc::new(|| false),
            #[cfg(feature = "sabotage")]
            sabotage: None,
            #[cfg(feature = "sabotage")]
            detector_off: None,
            own_signers: None,
            operator: OperatorWatch::default(),
            notices: Notices::default(),
            elsewhere: Rc::default(),
        }
    }

    /// A lab that may end under a run, with who knows that it has: then nobody is left who could
    /// answer, however long one asks.
    #[must_use]
    pub fn that_may_end(self, has_ended: Rc<dyn Fn() -> bool>) -> Self {
        Self { has_ended, ..self }
    }

    /// A lab that may grant itself a go, with the public half of the key that it has for that, as a
    /// line of allowed signers.
    #[must_use]
    pub fn that_grants_itself(self, own_signers: &str) -> Self {
        Self { own_signers: Some(own_signers.into()), ..self }
    }

    /// A lab whose operator has credentials that may end, and which asks some services elsewhere than at
    /// AWS's own endpoints.
    #[must_use]
    pub fn that_is_asked_by(
        self,
        operator: OperatorWatch,
        elsewhere: &[AskedElsewhere],
        notices: Notices,
    ) -> Self {
        Self { operator, elsewhere: elsewhere.into(), notices, ..self }
    }

    /// The services that are not asked at AWS's own endpoints, where the lab is said to be on AWS.
    pub fn elsewhere(&self) -> &[AskedElsewhere] {
        &self.elsewhere
    }

    /// The public half of the key with which this lab grants itself; none on a lab that does not.
    pub fn own_signers(&self) -> Option<&str> {
        self.own_signers.as_deref()
    }

    /// How long whatever daemon may be at work on the routers takes to do again what was undone: two
    /// rounds of routerd, which runs its controllers every five seconds (contract §0.13). No daemon
    /// runs in a kernel lab.
    pub fn two_daemon_rounds(&self) -> Duration {
        let usual_ms = match self.manifest.lab.kind {
            LabKind::Netns => 0,
            LabKind::Mock | LabKind::Aws => DAEMON_ROUNDS_MS,
        };
        Duration::from_millis(self.manifest.timing.daemon_rounds_ms.unwrap_or(usual_ms))
    }

    /// How long after a look at EC2 the next one is made, where two that are equal prove something:
    /// longer than its reads lag behind. The kernel lab's endpoint shows what is.
    pub fn pause_between_looks(&self) -> Duration {
        let usual_ms = match self.manifest.lab.kind {
            LabKind::Netns => 200,
            LabKind::Mock | LabKind::Aws => LOOK_AGAIN_MS_ON_EC2,
        };
        Duration::from_millis(self.manifest.timing.look_again_ms.unwrap_or(usual_ms))
    }

    pub(crate) fn has_ended(&self) -> bool {
        (self.has_ended)()
    }

    pub(crate) fn changed(&self) -> Result<(), String> {
        (self.after_effect)()
    }
}

/// The switches that only a build for the tests has.
#[cfg(feature = "sabotage")]
impl Lab {
    /// The same lab as a deliberately broken build sees it. For tests of the invariants alone.
    #[must_use]
    pub fn sabotaged(self, sabotage: Option<Sabotage>) -> Self {
        Self { sabotage, ..self }
    }

    /// Whether this build is broken in this way.
    pub fn is_sabotaged(&self, by: Sabotage) -> bool {
        self.sabotage == Some(by)
    }

    /// The same lab, where one detector of a hard stop finds nothing. For the test that the table of
    /// faults notices, alone.
    #[must_use]
    pub fn without_detector(self, name: Option<&'static str>) -> Self {
        Self { detector_off: name, ..self }
    }

    /// The detector that finds nothing, by its name.
    pub fn detector_off(&self) -> Option<&'static str> {
        self.detector_off
    }
}
