//! The refusals of AWS, in its codes and words. Clients parse both.

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub status: u16,
    pub code: String,
    pub message: String,
}

impl ApiError {
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// Most of EC2's errors are 400.
    pub fn bad(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    pub fn invalid_value(message: impl Into<String>) -> Self {
        Self::bad("InvalidParameterValue", message)
    }

    pub fn invalid_combination(message: impl Into<String>) -> Self {
        Self::bad("InvalidParameterCombination", message)
    }

    pub fn missing(parameter: &str) -> Self {
        Self::bad("MissingParameter", format!("The request must contain the parameter {parameter}"))
    }

    pub fn unknown_parameter(parameter: &str) -> Self {
        Self::bad("UnknownParameter", format!("The parameter {parameter} is not recognized"))
    }

    pub fn malformed_cidr(parameter: &str, text: &str) -> Self {
        Self::invalid_value(format!(
            "Value ({text}) for parameter {parameter} is invalid. This is not a valid CIDR block."
        ))
    }

    /// Something is still used: `noun` as in `vpc`.
    pub fn dependencies(noun: &str, id: &str) -> Self {
        Self::bad(
            "DependencyViolation",
            format!("The {noun} '{id}' has dependencies and cannot be deleted."),
        )
    }

    /// The error for something that AWS would do and the mock does not.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::bad("UnsupportedOperation", message)
    }

    /// The error with which EC2 answers in a region that the account has not enabled.
    pub fn region_not_enabled() -> Self {
        let message = "AWS was not able to validate the provided access credentials";
        Self::new(401, "AuthFailure", message)
    }

    pub fn dry_run() -> Self {
        Self::new(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
    }
}

/// The kind whose ids begin like this one.
pub fn kind_of(id: &str) -> Option<&'static IdKind> {
    let (prefix, _) = id.rsplit_once('-')?;
    ALL.iter().find(|kind| kind.prefix == prefix)
}

/// A kind of resource, with the codes that AWS has for a wrong id of it.
#[derive(Debug)]
pub struct IdKind {
    pub prefix: &'static str,
    /// The word that AWS has for it in messages.
    noun: &'static str,
    malformed: &'static str,
    not_found: &'static str,
}

macro_rules! kinds {
    ($($name:ident: $prefix:literal, $noun:literal, $malformed:literal, $not_found:literal;)*) => {
        $(pub const $name: IdKind = IdKind {
            prefix: $prefix, noun: $noun, malformed: $malformed, not_found: $not_found,
        };)*

        const ALL: &[IdKind] = &[$($name),*];
    };
}

kinds! {
    INTERFACE: "eni", "networkInterface ID", "InvalidNetworkInterfaceId.Malformed", "InvalidNetworkInterfaceID.NotFound";
    INSTANCE: "i", "instance ID", "InvalidInstanceID.Malformed", "InvalidInstanceID.NotFound";
    SUBNET: "subnet", "subnet ID", "InvalidSubnetID.Malformed", "InvalidSubnetID.NotFound";
    VPC: "vpc", "vpc ID", "InvalidVpcId.Malformed", "InvalidVpcID.NotFound";
    ROUTE_TABLE: "rtb", "routeTable ID", "InvalidRouteTableId.Malformed", "InvalidRouteTableID.NotFound";
    SECURITY_GROUP: "sg", "security group", "InvalidGroupId.Malformed", "InvalidGroup.NotFound";
    VOLUME: "vol", "volume", "InvalidVolumeID.Malformed", "InvalidVolume.NotFound";
    ALLOCATION: "eipalloc", "allocation ID", "InvalidAllocationID.Malformed", "InvalidAllocationID.NotFound";
    ASSOCIATION: "eipassoc", "association ID", "InvalidAssociationID.Malformed", "InvalidAssociationID.NotFound";
    INTERNET_GATEWAY: "igw", "internetGateway ID", "InvalidInternetGatewayId.Malformed", "InvalidInternetGatewayID.NotFound";
    NETWORK_ACL: "acl", "networkAcl ID", "InvalidNetworkAclId.Malformed", "InvalidNetworkAclID.NotFound";
    ACL_ASSOCIATION: "aclassoc", "association ID", "InvalidAssociationID.Malformed", "InvalidAssociationID.NotFound";
    TABLE_ASSOCIATION: "rtbassoc", "association ID", "InvalidAssociationID.Malformed", "InvalidAssociationID.NotFound";
    ATTACHMENT: "eni-attach", "attachment ID", "InvalidAttachmentID.Malformed", "InvalidAttachmentID.NotFound";
    RULE: "sgr", "security group rule ID", "InvalidSecurityGroupRuleId.Malformed", "InvalidSecurityGroupRuleId.NotFound";
    KEY_PAIR: "key", "key pair ID", "InvalidKeyPairID.Malformed", "InvalidKeyPair.NotFound";
    IMAGE: "ami", "image id", "InvalidAMIID.Malformed", "InvalidAMIID.NotFound";
    NAT_GATEWAY: "nat", "NatGateway ID", "NatGatewayMalformed", "NatGatewayNotFound";
    ENDPOINT: "vpce", "Vpc Endpoint Id", "InvalidVpcEndpointId.Malformed", "InvalidVpcEndpointId.NotFound";
    PEERING: "pcx", "vpcPeeringConnection ID", "InvalidVpcPeeringConnectionId.Malformed", "InvalidVpcPeeringConnectionID.NotFound";
    TRANSIT_ATTACHMENT: "tgw-attach", "Transit Gateway Attachment ID", "InvalidTransitGatewayAttachmentID.Malformed", "InvalidTransitGatewayAttachmentID.NotFound";
    GATEWAY: "igw", "gateway ID", "InvalidGatewayID.Malformed", "InvalidGatewayID.NotFound";
}

impl IdKind {
    /// The prefix and 8 or 17 hex digits.
    pub fn check(&self, id: &str) -> Result<(), ApiError> {
        let digits = id.strip_prefix(self.prefix).and_then(|rest| rest.strip_prefix('-'));
        let well_formed = digits.is_some_and(|digits| {
            matches!(digits.len(), 8 | 17)
                && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        });
        if well_formed {
            return Ok(());
        }
        let expecting = if digits.is_some() {
            String::new()
        } else {
            format!(" (expecting \"{}-...\")", self.prefix)
        };
        Err(ApiError::bad(self.malformed, format!("Invalid id: \"{id}\"{expecting}")))
    }

    pub fn not_found(&self, ids: &[&str]) -> ApiError {
        let plural = if ids.len() == 1 { "" } else { "s" };
        let verb = if ids.len() == 1 { "does" } else { "do" };
        // As recorded: of these alone it is a whole sentence.
        let end = if self.prefix == VOLUME.prefix { "." } else { "" };
        let ids = ids.join(", ");
        let message = format!("The {}{plural} '{ids}' {verb} not exist{end}", self.noun);
        ApiError::bad(self.not_found, message)
    }
}
