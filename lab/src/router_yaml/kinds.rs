//! The kinds of routerd v20260822, by API group. A kind that is not here makes routerd refuse the
//! whole file, or belongs to a routerd that this program does not know.

/// Whether routerd has such a resource.
pub(super) fn is_known(api_version: &str, kind: &str) -> bool {
    let Some(group) = api_version.strip_suffix(".routerd.net/v1alpha1") else { return false };
    KINDS.iter().any(|(of_group, kinds)| *of_group == group && kinds.contains(&kind))
}

#[rustfmt::skip] // A table: one group per paragraph.
const KINDS: &[(&str, &[&str])] = &[
    ("config", &[
        "DynamicOverridePolicy"
    ]),
    ("federation", &[
        "EventGroup", "EventPeer", "EventSubscription", "FederationSLO"
    ]),
    ("firewall", &[
        "ClientPolicy", "FirewallEventLog", "FirewallFlowPinhole", "FirewallPolicy",
        "FirewallRule", "FirewallZone", "IngressService", "LocalServiceRedirect", "PortForward"
    ]),
    ("hybrid", &[
        "CloudProviderProfile", "HybridRoute", "OverlayPeer", "ProviderActionPolicy",
        "TunnelInterface"
    ]),
    ("mobility", &[
        "MobilityPool", "SAMEnrollmentClaim", "SAMEnrollmentClient", "SAMEnrollmentPolicy",
        "SAMNodeSet", "SAMSubnetPolicy", "SAMTransportProfile"
    ]),
    ("net", &[
        "BFD", "BGPDynamicPeer", "BGPPeer", "BGPRouter", "ClusterNetworkRoute", "DHCPv4Client",
        "DHCPv4Relay", "DHCPv4Reservation", "DHCPv4Server", "DHCPv4ServerLeaseSync",
        "DHCPv6Address", "DHCPv6Information", "DHCPv6PrefixDelegation",
        "DHCPv6PrefixDelegationLeaseSync", "DHCPv6Server", "DHCPv6ServerLeaseSync",
        "DNSForwarder", "DNSResolver", "DNSUpstream", "DNSZone", "DSLiteTunnel", "DerivedEvent",
        "EgressRoutePolicy", "EventRule", "HealthCheck", "Hostname", "IPAddressSet",
        "IPsecConnection", "IPv4Route", "IPv4StaticAddress", "IPv6DelegatedAddress",
        "IPv6RAAddress", "IPv6RouterAdvertisement", "Interface", "ManagementAccess",
        "NAT44FlowDNATPinhole", "NAT44Rule", "NAT44SessionSync", "PPPoESession",
        "SelfAddressPolicy", "TailscaleNode", "TrafficFlowLog", "VRF", "VXLANTunnel",
        "VirtualAddress", "WireGuardInterface", "WireGuardPeer"
    ]),
    ("observability", &[
        "Telemetry"
    ]),
    ("plugin", &[
        "DynamicConfigSource", "Plugin"
    ]),
    ("system", &[
        "ControlAPI", "LogRetention", "LogSink", "NTPClient", "NTPServer",
        "ObservabilityPipeline", "Package", "RouterdCluster", "Sysctl", "SysctlProfile",
        "WebConsole"
    ]),
];
