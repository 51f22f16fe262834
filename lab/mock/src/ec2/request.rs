//! One HTTP request, as what it asks for.

use super::error::ApiError;
use super::params::Params;

/// Stands before the name of an operation that is only rehearsed.
pub const REHEARSAL: &str = "DryRun:";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Ec2,
    Sts,
    Iam,
}

#[derive(Clone, Debug)]
pub struct Request {
    pub service: Service,
    /// From the credential scope of the signature.
    pub region: String,
    pub access_key_id: String,
    pub params: Params,
}

impl Service {
    /// The API's version, which every request names.
    pub fn version(self) -> &'static str {
        match self {
            Self::Ec2 => "2016-11-15",
            Self::Sts => "2011-06-15",
            Self::Iam => "2010-05-08",
        }
    }

    /// The name before the colon in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Sts => "sts",
            Self::Iam => "iam",
        }
    }

    fn from_scope(scope: &str) -> Option<Self> {
        [Self::Ec2, Self::Sts, Self::Iam].into_iter().find(|service| service.as_str() == scope)
    }
}

impl Request {
    /// Who asks, where and what stands in the signature's credential scope,
    /// `AKID/20260101/REGION/SERVICE/aws4_request`. The signature itself is not verified.
    pub fn parse(authorization: Option<&str>, body: &[u8]) -> Result<Self, ApiError> {
        let scope = authorization
            .and_then(|header| header.strip_prefix("AWS4-HMAC-SHA256 "))
            .and_then(|header| header.split(',').find_map(|p| p.trim().strip_prefix("Credential=")))
            .ok_or_else(|| {
                ApiError::new(
                    403,
                    "MissingAuthenticationToken",
                    "Request is missing Authentication Token",
                )
            })?;
        let parts: Vec<&str> = scope.split('/').collect();
        let [access_key_id, _date, region, service, "aws4_request"] = parts.as_slice() else {
            return Err(ApiError::new(
                403,
                "IncompleteSignature",
                format!(
                    "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{scope}'"
                ),
            ));
        };
        let service = Service::from_scope(service).ok_or_else(|| {
            ApiError::new(
                403,
                "SignatureDoesNotMatch",
                format!("Credential should be scoped to correct service: 'ec2', 'sts' or 'iam', not '{service}'."),
            )
        })?;
        Ok(Self {
            service,
            region: (*region).to_owned(),
            access_key_id: (*access_key_id).to_owned(),
            params: Params::parse(body),
        })
    }

    /// A request that comes by no HTTP.
    pub fn of(
        service: Service,
        region: &str,
        access_key_id: &str,
        parameters: &[(&str, &str)],
    ) -> Self {
        let body =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        Self {
            service,
            region: region.to_owned(),
            access_key_id: access_key_id.to_owned(),
            params: Params::parse(body.as_bytes()),
        }
    }

    pub fn action(&self) -> &str {
        self.params.text("Action").unwrap_or_default()
    }

    /// Whether it is a rehearsal, which changes nothing.
    pub fn is_dry_run(&self) -> bool {
        self.params.text("DryRun") == Some("true")
    }

    /// The name by which rules and events know it: a rehearsal is not what it rehearses.
    pub fn name_for_rules(&self) -> String {
        let rehearsal = if self.is_dry_run() { REHEARSAL } else { "" };
        format!("{rehearsal}{}", self.action())
    }
}
