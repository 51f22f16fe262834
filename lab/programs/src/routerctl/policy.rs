//! The policy gate: what the operator's `ProviderActionPolicy` lets an action do, in routerd's
//! order and words.

use std::net::IpAddr;

use super::config::ActionPolicy;
use super::go::json::string_map;
use super::store::actions::StoredAction;
use lab::golang::quote;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    DryRun,
    Execute,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DryRun => "dry-run",
            Self::Execute => "execute",
        }
    }
}

impl ActionPolicy {
    fn is_dry_run_only(&self) -> bool {
        self.dry_run_only.unwrap_or(true)
    }

    /// Whether a pending action needs no operator.
    pub fn approves_by_itself(&self) -> bool {
        self.require_approval == Some(false) && self.enabled && !self.is_dry_run_only()
    }

    pub fn evaluate(&self, action: &StoredAction, mode: Mode) -> Result<(), String> {
        if !self.enabled {
            return Err("execution is disabled (policy.enabled=false)".into());
        }
        if mode == Mode::Execute && self.is_dry_run_only() {
            return Err(
                "live execution rejected: policy.dryRunOnly is true (mode=execute not permitted)"
                    .into(),
            );
        }
        if self.max_actions_per_run <= 0 {
            return Err(format!(
                "maxActionsPerRun is {}: no actions permitted (operator must set a positive bound)",
                self.max_actions_per_run
            ));
        }
        if !self.allowed_providers.contains(&action.provider) {
            return Err(format!("provider {} is not in allowedProviders", quote(&action.provider)));
        }
        if !self.allowed_provider_refs.is_empty()
            && !self.allowed_provider_refs.contains(&action.provider_ref)
        {
            return Err(format!(
                "providerRef {} is not in allowedProviderRefs",
                quote(&action.provider_ref)
            ));
        }
        if !self.allowed_actions.contains(&action.action) {
            return Err(format!("action {} is not in allowedActions", quote(&action.action)));
        }
        if self.allowed_cidrs.is_empty() { Ok(()) } else { self.evaluate_address(action) }
    }

    fn evaluate_address(&self, action: &StoredAction) -> Result<(), String> {
        let target = string_map(&action.target_json);
        let address = target.get("address").map_or("", |address| address.trim());
        if address.is_empty() {
            return Err("target has no address but allowedCIDRs is set".into());
        }
        let Some(ip) = ip_of(address) else {
            return Err(format!("target address {} is not a valid IP/CIDR", quote(address)));
        };
        // What is no CIDR allows nothing: routerd's loader does not refuse it.
        let within = |cidr: &String| {
            cidr.trim().parse::<ipnet::IpNet>().is_ok_and(|network| network.contains(&ip))
        };
        if self.allowed_cidrs.iter().any(within) {
            return Ok(());
        }
        Err(format!("target address {} is not within any allowedCIDR", quote(address)))
    }
}

fn ip_of(address: &str) -> Option<IpAddr> {
    let bare = address.parse::<IpAddr>().ok();
    bare.or_else(|| address.parse::<ipnet::IpNet>().ok().map(|network| network.addr()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> ActionPolicy {
        ActionPolicy {
            enabled: true,
            dry_run_only: Some(false),
            require_approval: Some(true),
            allowed_providers: vec!["aws".into()],
            allowed_provider_refs: Vec::new(),
            allowed_actions: vec!["assign-secondary-ip".into()],
            allowed_cidrs: vec!["10.88.60.9/32".into()],
            max_actions_per_run: 1,
            allow_undo: true,
        }
    }

    fn action(address: &str) -> StoredAction {
        StoredAction {
            provider: "aws".into(),
            provider_ref: "aws-lab".into(),
            action: "assign-secondary-ip".into(),
            target_json: format!("{{\"address\":\"{address}\"}}"),
            ..StoredAction::default()
        }
    }

    #[test]
    fn every_gate_has_its_words() {
        type Edit = fn(&mut ActionPolicy);
        let cases: [(Edit, &str); 7] = [
            (|p| p.enabled = false, "execution is disabled (policy.enabled=false)"),
            (
                |p| p.dry_run_only = None,
                "live execution rejected: policy.dryRunOnly is true (mode=execute not permitted)",
            ),
            (
                |p| p.max_actions_per_run = -1,
                "maxActionsPerRun is -1: no actions permitted (operator must set a positive bound)",
            ),
            (
                |p| p.allowed_providers = vec!["AWS".into()],
                r#"provider "aws" is not in allowedProviders"#,
            ),
            (
                |p| p.allowed_provider_refs = vec!["x".into()],
                r#"providerRef "aws-lab" is not in allowedProviderRefs"#,
            ),
            (
                |p| p.allowed_actions.clear(),
                r#"action "assign-secondary-ip" is not in allowedActions"#,
            ),
            (
                |p| p.allowed_cidrs = vec!["10.88.60.9".into()],
                r#"target address "10.88.60.9/32" is not within any allowedCIDR"#,
            ),
        ];
        assert_eq!(open().evaluate(&action("10.88.60.9/32"), Mode::Execute), Ok(()));
        for (edit, error) in cases {
            let mut policy = open();
            edit(&mut policy);
            assert_eq!(
                policy.evaluate(&action("10.88.60.9/32"), Mode::Execute),
                Err(error.to_owned())
            );
        }
    }

    #[test]
    fn the_address_is_an_ip_or_a_cidr() {
        for (address, verdict) in [
            ("10.88.60.9", Ok(())),
            ("", Err("target has no address but allowedCIDRs is set".to_owned())),
            ("x", Err(r#"target address "x" is not a valid IP/CIDR"#.to_owned())),
        ] {
            assert_eq!(open().evaluate(&action(address), Mode::Execute), verdict);
        }
    }

    #[test]
    fn a_dry_run_passes_a_policy_of_dry_runs_alone() {
        let policy = ActionPolicy { dry_run_only: None, ..open() };
        assert_eq!(policy.evaluate(&action("10.88.60.9/32"), Mode::DryRun), Ok(()));
    }

    #[test]
    fn only_an_explicit_false_approves_by_itself() {
        for (require_approval, dry_run_only, by_itself) in [
            (None, Some(false), false),
            (Some(true), Some(false), false),
            (Some(false), None, false),
            (Some(false), Some(false), true),
        ] {
            let policy = ActionPolicy { dry_run_only, require_approval, ..open() };
            assert_eq!(policy.approves_by_itself(), by_itself);
        }
    }
}
