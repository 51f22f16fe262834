//! A call that did not go well: its text as routerd's users know it from the AWS CLI, and what may
//! be concluded from it.

use std::error::Error;

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::protocol::ExecuteActionStatus;

/// One API operation and the AWS CLI's command for it, without the leading `aws`.
#[derive(Debug)]
pub(super) struct AwsCommand {
    pub operation: &'static str,
    pub line: String,
    pub effect: CallEffect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallEffect {
    Reads,
    Mutates,
}

#[derive(Debug)]
pub(super) struct CallError {
    cause: Cause,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// EC2 said no, and why.
    Refused,
    /// Nothing was sent.
    NotSent,
    /// Sent, and no answer that can be understood.
    Unanswered,
    /// Answered, without the fact that was asked for.
    Uninformative,
}

impl CallError {
    pub fn not_sent(command: &AwsCommand, reason: &str) -> Self {
        let text = format!("aws {}: not sent: {reason}", command.line);
        Self { cause: Cause::NotSent, text }
    }

    pub fn unanswered(command: &AwsCommand, reason: &str) -> Self {
        let consequence = match command.effect {
            CallEffect::Reads => "",
            CallEffect::Mutates => {
                "; whether it was carried out is unknown: describe before repeating"
            }
        };
        let text = format!("aws {}: no answer: {reason}{consequence}", command.line);
        Self { cause: Cause::Unanswered, text }
    }

    pub fn uninformative(text: String) -> Self {
        Self { cause: Cause::Uninformative, text }
    }

    pub fn from_sdk<E>(command: &AwsCommand, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error {
            SdkError::ServiceError(answer) => {
                let (code, message) = (answer.err().code(), answer.err().message());
                let status = answer.raw().status().as_u16();
                code.map_or_else(
                    || {
                        let reason = format!("HTTP status {status} without an error code");
                        Self::unanswered(command, &reason)
                    },
                    |code| Self::refused(command, code, message.unwrap_or_default()),
                )
            }
            SdkError::ConstructionFailure(_) => Self::not_sent(command, &innermost(error)),
            SdkError::DispatchFailure(_) if never_connected(error) => {
                Self::not_sent(command, &innermost(error))
            }
            _ => Self::unanswered(command, &innermost(error)),
        }
    }

    /// In the AWS CLI's words, its exit status included: people and programs search for them.
    fn refused(command: &AwsCommand, code: &str, message: &str) -> Self {
        let AwsCommand { operation, line, .. } = command;
        let words = format!("An error occurred ({code}) when calling the {operation} operation");
        let text = format!("aws {line}: exit status 254: {words}: {message}");
        Self { cause: Cause::Refused, text: text.trim_end().into() }
    }

    /// Replacing a route was refused, and creating it did not go well either.
    pub fn replace_and_create(replace: &Self, create: &Self) -> Self {
        let text = format!("replace: {}; create: {}", replace.text, create.text);
        Self { cause: Cause::Refused, text }
    }

    pub fn is_refusal(&self) -> bool {
        self.cause == Cause::Refused
    }

    pub fn is_not_found(&self) -> bool {
        self.says(&["not found", "notfound", "could not be found"])
    }

    /// The address that was to be taken off the interface is not there.
    pub fn is_not_assigned(&self) -> bool {
        self.says(&["unassignprivateipaddresses"]) && self.says(&["not assigned to interface"])
    }

    fn is_authorization(&self) -> bool {
        let toolchain = ["permission denied", "no such file or directory"];
        !self.says(&toolchain)
            && self.says(&[
                "unauthorizedoperation",
                "accessdenied",
                "access denied",
                "not authorized",
                "authfailure",
            ])
    }

    /// Only EC2's own words are searched: what a broken connection says proves nothing.
    fn says(&self, words: &[&str]) -> bool {
        let text = self.text.to_lowercase();
        self.is_refusal() && words.iter().any(|word| text.contains(word))
    }

    pub fn into_status(self, message: &'static str) -> ExecuteActionStatus {
        let mut status = ExecuteActionStatus::failed(message);
        if self.is_authorization() {
            status = status
                .observing("failureClass", "authorization")
                .observing("permissionHint", permission_hint(message));
        }
        status.with_error(self.text)
    }
}

/// Chosen by the failure's message, whose `unassign-…` contains `assign-…`: the hint of an unassign
/// is wrong, and stays so because that is what routerd's users get.
fn permission_hint(message: &str) -> &'static str {
    let describing = message.contains("describe");
    if message.contains("assign-secondary-ip") || message.contains("ensure-forwarding") {
        match (describing, message.contains("ensure-forwarding")) {
            (true, _) => "ec2:DescribeNetworkInterfaces",
            (false, true) => "ec2:ModifyNetworkInterfaceAttribute",
            (false, false) => "ec2:AssignPrivateIpAddresses",
        }
    } else if describing {
        "ec2:DescribeRouteTables"
    } else {
        "ec2:CreateRoute/ec2:ReplaceRoute"
    }
}

/// There was no connection that a request could have left on.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    causes(error).any(|cause| {
        let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        matches!(kind, Some(ConnectionRefused | HostUnreachable | NetworkUnreachable))
    })
}

/// The SDK wraps causes in generic words; the last one says what happened.
fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> AwsCommand {
        AwsCommand { operation: "DeleteRoute", line: "ec2 x".into(), effect: CallEffect::Mutates }
    }

    #[test]
    fn only_what_ec2_says_is_classified() {
        let denied = CallError::refused(&command(), "UnauthorizedOperation", "no");
        assert!(denied.is_authorization());
        let absent = CallError::refused(&command(), "InvalidRoute.NotFound", "");
        assert!(absent.is_not_found() && !absent.is_authorization());
        for reason in ["host not found", "AccessDenied by a proxy", "permission denied"] {
            let broken = CallError::unanswered(&command(), reason);
            assert!(!broken.is_not_found() && !broken.is_authorization(), "{reason}");
        }
        let toolchain = CallError::refused(&command(), "AuthFailure", "permission denied");
        assert!(!toolchain.is_authorization());
    }

    #[test]
    fn the_hints_are_those_of_the_original_the_wrong_ones_too() {
        let cases = [
            ("assign-secondary-ip dry-run: describe failed", "ec2:DescribeNetworkInterfaces"),
            ("assign-secondary-ip execute: assign failed", "ec2:AssignPrivateIpAddresses"),
            ("unassign-secondary-ip dry-run: describe failed", "ec2:DescribeNetworkInterfaces"),
            ("unassign-secondary-ip execute: unassign failed", "ec2:AssignPrivateIpAddresses"),
            (
                "ensure-forwarding-enabled: describe (capture prior) failed",
                "ec2:DescribeNetworkInterfaces",
            ),
            (
                "ensure-forwarding-disabled execute: modify failed",
                "ec2:ModifyNetworkInterfaceAttribute",
            ),
            (
                "assign-route-table-route dry-run: describe route table failed",
                "ec2:DescribeRouteTables",
            ),
            (
                "assign-route-table-route execute: create route failed",
                "ec2:CreateRoute/ec2:ReplaceRoute",
            ),
            (
                "unassign-route-table-route execute: delete route failed",
                "ec2:CreateRoute/ec2:ReplaceRoute",
            ),
        ];
        for (message, hint) in cases {
            assert_eq!(permission_hint(message), hint, "{message}");
        }
    }
}
