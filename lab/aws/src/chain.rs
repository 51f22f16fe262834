//! The chain by which the operator's identity is chosen: flag, environment, manifest, default, ambient.

use lab::manifest::Manifest;
use reports::record::IdentityLink;

/// Names a role that wins over the manifest's.
pub const ROLE_VARIABLE: &str = "LAB_SMOKE_ASSUME_ROLE_ARN";
/// Names a role where nothing else does.
pub const DEFAULT_ROLE_VARIABLE: &str = "LAB_SMOKE_ASSUME_ROLE_ARN_DEFAULT";

/// Who is to ask EC2: a role that is assumed, or nobody else than the SDK's own chain finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedIdentity {
    pub link: IdentityLink,
    pub role_arn: Option<String>,
}

/// The environment, for a test another one than the process's.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The first link that says something.
pub fn choose_identity(
    flag: Option<&str>,
    environment: Environment<'_>,
    manifest: &Manifest,
) -> WantedIdentity {
    let variable = |name| environment(name).filter(|value| !value.trim().is_empty());
    let of_manifest = || {
        let identity = manifest.identity.as_ref()?;
        identity.role_for(&manifest.aws.account_id).map(str::to_owned)
    };
    let links = [
        (IdentityLink::Flag, flag.map(str::to_owned)),
        (IdentityLink::Environment, variable(ROLE_VARIABLE)),
        (IdentityLink::Manifest, of_manifest()),
        (IdentityLink::Default, variable(DEFAULT_ROLE_VARIABLE)),
    ];
    let won = links.into_iter().find(|(_, role)| role.is_some());
    let (link, role_arn) = won.unwrap_or((IdentityLink::Ambient, None));
    WantedIdentity { link, role_arn }
}

/// STS takes 64 characters of a session's name.
pub fn session_name(run_id: &str) -> String {
    run_id.chars().take(64).collect()
}

/// The partition of an ARN, as `aws-cn`.
pub fn partition_of(arn: &str) -> Option<&str> {
    let mut parts = arn.split(':');
    (parts.next() == Some("arn")).then_some(())?;
    parts.next().filter(|partition| !partition.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use lab::manifest::example_manifest;

    use super::*;

    fn manifest(identity: &str) -> Manifest {
        let text = format!("{}\n{identity}\n", example_manifest());
        Manifest::parse("lab.toml", &text).unwrap()
    }

    fn role(name: &str) -> String {
        format!("arn:aws:iam::123456789012:role/{name}")
    }

    #[test]
    fn the_first_link_that_says_something_wins() {
        use IdentityLink::{Ambient, Default, Environment, Flag, Manifest};
        let one = "[identity]\nassume_role = \"arn:aws:iam::123456789012:role/m\"";
        let table = "[identity.assume_role]\n123456789012 = \"arn:aws:iam::123456789012:role/m\"";
        let other = "[identity.assume_role]\n210987654321 = \"arn:aws:iam::210987654321:role/m\"";
        let cases = [
            (Some("f"), Some("e"), one, Some("d"), Flag, Some("f")),
            (None, Some("e"), one, Some("d"), Environment, Some("e")),
            (None, None, one, Some("d"), Manifest, Some("m")),
            (None, None, table, Some("d"), Manifest, Some("m")),
            (None, None, other, Some("d"), Default, Some("d")),
            (None, None, "", Some("d"), Default, Some("d")),
            (None, None, "", None, Ambient, None),
        ];
        for (flag, environment, text, default, link, won) in cases {
            let of = |name: &str| match name {
                ROLE_VARIABLE => environment.map(role),
                DEFAULT_ROLE_VARIABLE => default.map(role),
                _ => None,
            };
            let flag = flag.map(role);
            let chosen = choose_identity(flag.as_deref(), &of, &manifest(text));
            assert_eq!(chosen, WantedIdentity { link, role_arn: won.map(role) }, "{text}");
        }
        let empty = |_: &str| Some(String::new());
        let chosen = choose_identity(None, &empty, &manifest(""));
        assert_eq!(chosen.link, Ambient, "an empty variable says nothing");
    }

    #[test]
    fn a_sessions_name_is_the_runs_id_as_far_as_sts_takes_it() {
        assert_eq!(session_name("smoke-20260101T000000Z-a1b2"), "smoke-20260101T000000Z-a1b2");
        assert_eq!(session_name(&"x".repeat(90)).len(), 64);
    }

    #[test]
    fn the_partition_is_the_callers() {
        for (arn, partition) in [
            ("arn:aws:sts::123456789012:assumed-role/r/s", Some("aws")),
            ("arn:aws-eusc:iam::123456789012:user/u", Some("aws-eusc")),
            ("arn::iam", None),
            ("lab-smoke", None),
        ] {
            assert_eq!(partition_of(arn), partition);
        }
    }
}
