//! Whether EC2 would let the operator: a DryRun of each mutation that the harness may come to make,
//! with the request exactly as it will be sent. The client that sends it refuses whatever is no
//! rehearsal, so that nothing can be done from here.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use reports::redact::Form;
use serde::Serialize;
use serde_json::Value;

use super::AwsConnection;
use super::reader::{Answer, ReadError, Reader, call};
use crate::act::requests;

/// Whether somebody may make a call, by the one answer that says so: what is neither allowed nor
/// denied nor about nothing is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allowance {
    /// `DryRunOperation`, and nothing else.
    Allowed,
    /// `UnauthorizedOperation`, and nothing else.
    Denied,
    /// What an address or a volume is refused with that is not there: nobody has to be allowed to end it.
    Absent,
    Unknown,
}

impl Allowance {
    /// Reads the error code with which a rehearsal was answered.
    pub fn of_code(code: &str) -> Self {
        match code {
            "DryRunOperation" => Self::Allowed,
            "UnauthorizedOperation" => Self::Denied,
            "InvalidAllocationID.NotFound" | "InvalidVolume.NotFound" => Self::Absent,
            _ => Self::Unknown,
        }
    }
}

/// A mutation of EC2 that the harness makes itself, with all that its request names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnCall {
    StartInstance { instance_id: String },
    StopInstance { instance_id: String },
    TerminateInstance { instance_id: String },
    ReleaseAddress { allocation_id: String },
    DisassociateAddress { association_id: String, allocation_id: String },
    DeleteVolume { volume_id: String },
}

impl OwnCall {
    /// The action that a policy has to allow.
    pub fn action(&self) -> &'static str {
        match self {
            Self::StartInstance { .. } => "ec2:StartInstances",
            Self::StopInstance { .. } => "ec2:StopInstances",
            Self::TerminateInstance { .. } => "ec2:TerminateInstances",
            Self::ReleaseAddress { .. } => "ec2:ReleaseAddress",
            Self::DisassociateAddress { .. } => "ec2:DisassociateAddress",
            Self::DeleteVolume { .. } => "ec2:DeleteVolume",
        }
    }

    /// The id of what it changes.
    pub fn resource(&self) -> &str {
        match self {
            Self::StartInstance { instance_id }
            | Self::StopInstance { instance_id }
            | Self::TerminateInstance { instance_id } => instance_id,
            Self::ReleaseAddress { allocation_id }
            | Self::DisassociateAddress { allocation_id, .. } => allocation_id,
            Self::DeleteVolume { volume_id } => volume_id,
        }
    }
}

/// The answer to the rehearsal of one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Rehearsed {
    pub call: OwnCall,
    pub allowance: Allowance,
    /// EC2's code and message, or why there is none.
    pub said: String,
    /// What stands in the encoded message of a refusal, where the operator may have it decoded.
    pub decoded: Option<Value>,
}

/// Sends rehearsals and nothing else.
#[derive(Clone)]
pub(super) struct Rehearser {
    ec2: aws_sdk_ec2::Client,
}

impl Rehearser {
    pub fn new(connection: &AwsConnection) -> Self {
        let config = connection.ec2_config().interceptor(NothingInEarnest).build();
        Self { ec2: aws_sdk_ec2::Client::from_conf(config) }
    }

    /// Success is what EC2 never answers to a rehearsal.
    async fn send(&self, asked: &OwnCall) -> Result<(), ReadError> {
        let ec2 = &self.ec2;
        match asked {
            OwnCall::StartInstance { instance_id } => {
                let request = requests::make_start(ec2, instance_id).dry_run(true);
                call!("ec2 StartInstances (DryRun)", request).map(drop)
            }
            OwnCall::StopInstance { instance_id } => {
                let request = requests::make_stop(ec2, instance_id).dry_run(true);
                call!("ec2 StopInstances (DryRun)", request).map(drop)
            }
            OwnCall::TerminateInstance { instance_id } => {
                let request = requests::make_termination(ec2, instance_id).dry_run(true);
                call!("ec2 TerminateInstances (DryRun)", request).map(drop)
            }
            OwnCall::ReleaseAddress { allocation_id } => {
                let request = requests::make_release(ec2, allocation_id).dry_run(true);
                call!("ec2 ReleaseAddress (DryRun)", request).map(drop)
            }
            OwnCall::DisassociateAddress { association_id, .. } => {
                let request = requests::make_disassociation(ec2, association_id).dry_run(true);
                call!("ec2 DisassociateAddress (DryRun)", request).map(drop)
            }
            OwnCall::DeleteVolume { volume_id } => {
                let request = requests::make_deletion(ec2, volume_id).dry_run(true);
                call!("ec2 DeleteVolume (DryRun)", request).map(drop)
            }
        }
    }
}

/// Refuses each request whose body does not say `DryRun=true`, before it is sent.
#[derive(Debug)]
struct NothingInEarnest;

#[dyn_dispatch_hint]
impl Intercept for NothingInEarnest {
    fn name(&self) -> &'static str {
        "nothing in earnest"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match context.request().body().bytes() {
            Some(body) if is_rehearsal(body) => Ok(()),
            _ => Err("this client sends rehearsals alone, and the request is none".into()),
        }
    }
}

fn is_rehearsal(body: &[u8]) -> bool {
    body.split(|byte| *byte == b'&').any(|pair| pair == b"DryRun=true")
}

const ENCODED: &str = "Encoded authorization failure message: ";

/// A refusal's message without its encoded part, which says nothing to people.
pub(crate) fn leave_out_encoded(message: &str) -> &str {
    message.split(ENCODED).next().unwrap_or_default().trim()
}

/// The encoded part of a refusal.
fn find_encoded(message: &str) -> Option<&str> {
    let (_, encoded) = message.split_once(ENCODED)?;
    encoded.split_whitespace().next()
}

impl Reader {
    /// Whether this endpoint takes a DryRun for one. Shown by a read, before anything else is rehearsed:
    /// there are endpoints that carry out what they are asked to rehearse.
    pub async fn honours_rehearsals(&self) -> Result<(), String> {
        self.count();
        let request = self.ec2.describe_instances().dry_run(true);
        match call!("ec2 DescribeInstances (DryRun)", request) {
            Ok(_) => Err("the endpoint carries out what it is asked to rehearse".to_owned()),
            Err(error) => match error.code().map(Allowance::of_code) {
                Some(Allowance::Allowed | Allowance::Denied) => Ok(()),
                Some(Allowance::Absent | Allowance::Unknown) | None => Err(error.to_string()),
            },
        }
    }

    /// Asks whether the operator may make this call; nothing is changed.
    pub async fn rehearse(&self, asked: &OwnCall) -> Answer<Rehearsed> {
        self.count();
        let call = format!("ec2 {} (DryRun)", asked.action().trim_start_matches("ec2:"));
        let (allowance, said, decoded, raw) = match self.rehearser.send(asked).await {
            Ok(()) => {
                let said = "EC2 answered success, so that it may have been carried out".to_owned();
                (Allowance::Unknown, said, None, Vec::new())
            }
            Err(ReadError::Refused { code, message, raw, .. }) => {
                let allowance = Allowance::of_code(&code);
                let (message, decoded) = match (allowance, find_encoded(&message)) {
                    (Allowance::Denied, Some(encoded)) => {
                        let plain = leave_out_encoded(&message).to_owned();
                        match self.decode_refusal(encoded).await {
                            Ok(decoded) => (plain, decoded),
                            Err(why) => {
                                (format!("{plain} (its reason was not decoded: {why})"), None)
                            }
                        }
                    }
                    _ => (message, None),
                };
                (allowance, format!("{code}: {message}"), decoded, raw)
            }
            Err(error) => {
                let raw = error.raw().map(<[u8]>::to_vec).unwrap_or_default();
                (Allowance::Unknown, error.to_string(), None, raw)
            }
        };
        let value = Rehearsed { call: asked.clone(), allowance, said, decoded };
        Answer { value, call, raw: vec![raw], form: Form::Xml, attempts: 1 }
    }

    /// What stands in an encoded message, or why the operator does not learn it: it says nothing that
    /// decides.
    async fn decode_refusal(&self, encoded: &str) -> Result<Option<Value>, ReadError> {
        self.count();
        let request = self.sts.decode_authorization_message().encoded_message(encoded);
        let page = call!("sts DecodeAuthorizationMessage", request)?;
        let decoded = page.value.decoded_message();
        Ok(decoded.and_then(|text| serde_json::from_str(text).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deaf::open_deaf_lab;

    #[test]
    fn only_a_request_that_says_so_is_a_rehearsal() {
        for body in ["Action=StopInstances&DryRun=true&InstanceId.1=i-1", "DryRun=true"] {
            assert!(is_rehearsal(body.as_bytes()), "{body}");
        }
        for body in ["", "DryRun=false", "Action=StopInstances&NoDryRun=true", "DryRun=trueish"] {
            assert!(!is_rehearsal(body.as_bytes()), "{body}");
        }
    }

    /// The type's own client, asked in earnest: it is refused here, and not by whom it is sent to.
    #[tokio::test(start_paused = true)]
    async fn what_is_no_rehearsal_never_leaves_the_client() {
        let ec2 = open_deaf_lab().reader.rehearser.ec2.clone();
        let said = async |dry_run| {
            let mut request = requests::make_stop(&ec2, "i-1");
            if dry_run {
                request = request.dry_run(true);
            }
            let result = call!("ec2 StopInstances (DryRun)", request).map(drop);
            result.expect_err("nobody answers").to_string()
        };
        assert!(said(false).await.contains("sends rehearsals alone"), "{}", said(false).await);
        assert!(said(true).await.contains("nobody answers"), "{}", said(true).await);
    }

    #[test]
    fn only_two_codes_say_anything() {
        let table = [
            ("DryRunOperation", Allowance::Allowed),
            ("UnauthorizedOperation", Allowance::Denied),
            ("AuthFailure", Allowance::Unknown),
            ("RequestLimitExceeded", Allowance::Unknown),
            ("InvalidInstanceID.NotFound", Allowance::Unknown),
            ("InvalidVolume.NotFound", Allowance::Absent),
            ("InvalidAllocationID.NotFound", Allowance::Absent),
            ("AccessDenied", Allowance::Unknown),
        ];
        for (code, expected) in table {
            assert_eq!(Allowance::of_code(code), expected, "{code}");
        }
    }

    #[test]
    fn the_encoded_part_of_a_refusal_is_found() {
        let message = "You are not authorized. User: x is not authorized to perform: y. \
                       Encoded authorization failure message: abc-DEF_1";
        assert_eq!(find_encoded(message), Some("abc-DEF_1"));
        assert_eq!(find_encoded("You are not authorized."), None);
    }
}
