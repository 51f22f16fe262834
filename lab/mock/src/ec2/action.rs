//! From a request to its answer: which action it is, whether it is well-formed, whether the caller
//! may, and whether it is only a rehearsal.

use chrono::{DateTime, Utc};

use super::error::ApiError;
use super::identify::{Caller, identify_caller};
use super::params::Params;
use super::request::{Request, Service};
use super::response::Response;
use super::xml::Xml;
use super::{
    addresses, authorize, gateways, iam, iam_users, images, instance_attributes, instance_types,
    instances, interface_lifecycle, interfaces, key_pairs, launches, neighbours, network_acls,
    paging, private_addresses, route_tables, routes, security_group_rules, security_groups,
    simulate, sts, subnets, tags, throttle, volume_lifecycle, volumes, vpcs, zones,
};
use crate::cloud::{Answered, Cloud, ids};
use crate::world::World;

/// One operation of a service.
#[derive(Debug)]
pub struct ApiOperation {
    pub service: Service,
    pub name: &'static str,
    /// The parameters' names as on the wire; `N` stands for a number.
    pub parameters: &'static [&'static str],
    pub effect: AccessLevel,
    pub dry_run: DryRun,
    pub resources: Resources,
    pub handler: fn(&mut ApiCall<'_>) -> Result<Xml, ApiError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLevel {
    Read,
    Write,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    Supported,
    /// The operation has no such parameter.
    Absent,
}

/// The resources that a policy is asked about.
#[derive(Clone, Copy, Debug)]
pub enum Resources {
    /// `*`.
    Any,
    /// EC2 resources: the ARN's kind, and the parameter that holds the id or ids.
    Of { kind: &'static str, parameter: &'static str },
    /// The same of several parameters.
    Many(&'static [(&'static str, &'static str)]),
    /// Something that is made, and what it is made from.
    New { kind: &'static str, with: &'static [(&'static str, &'static str)] },
    /// An Elastic IP address and what it is associated with.
    Associated { parameter: &'static str },
    /// Something that IAM has under this parameter's name.
    Named { kind: &'static str, parameter: &'static str },
    /// Something that the parameter names by its ARN.
    ByArn { parameter: &'static str },
    /// Any that can have tags: the id says which kind it is.
    Tagged { parameter: &'static str },
    /// Whoever it is may.
    Free,
}

/// The request and the cloud as a handler sees them.
#[derive(Debug)]
pub struct ApiCall<'a> {
    pub cloud: &'a mut Cloud,
    pub caller: &'a Caller,
    pub params: &'a Params,
    pub now: DateTime<Utc>,
}

const COMMON: &[&str] = &["Action", "Version"];

/// Answers one request, and changes the world as it asks.
pub fn handle_request(
    world: &mut World,
    caller: &Caller,
    request: &Request,
    now: DateTime<Utc>,
) -> Response {
    let request_id = ids::request_id(&[
        &now.to_rfc3339(),
        &request.access_key_id,
        &format!("{:?}", request.params),
    ]);
    match perform(&mut world.cloud, caller, request, now) {
        Ok(xml) => Response::success(request.service, request.action(), &request_id, &xml),
        Err(error) => Response::error(request.service, &request_id, &error),
    }
}

/// The error with which a rehearsal is answered: there is no other answer to one.
pub fn answer_dry_run(
    cloud: &mut Cloud,
    request: &Request,
    token: Option<&str>,
    now: DateTime<Utc>,
) -> ApiError {
    let key = &request.access_key_id;
    let answered = identify_caller(cloud, request.service, key, token, now)
        .and_then(|caller| perform(cloud, &caller, request, now));
    answered.err().unwrap_or_else(ApiError::dry_run)
}

/// Whether it changes nothing; so does what there is not.
pub fn is_read_only(request: &Request) -> bool {
    request.is_dry_run() || find(request).map_or(true, |action| action.effect == AccessLevel::Read)
}

fn perform(
    cloud: &mut Cloud,
    caller: &Caller,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<Xml, ApiError> {
    let action = find(request)?;
    throttle::check_rate(cloud, action, &request.params, now)?;
    check_parameters(action, request)?;
    cloud.advance(now);
    authorize::check_permissions(cloud, caller, action, request, now)?;
    let mut elsewhere;
    let cloud = if request.service == Service::Ec2 && request.region != cloud.region {
        // One region is served: what were made in another would have an id and be nowhere.
        if action.effect == AccessLevel::Write {
            return Err(ApiError::region_not_enabled());
        }
        elsewhere = cloud.elsewhere(&request.region);
        &mut elsewhere
    } else {
        cloud
    };
    if request.params.flag("DryRun")? == Some(true) {
        return rehearse(cloud, caller, request, action, now);
    }
    if action.effect == AccessLevel::Write {
        return write(cloud, caller, request, action, now);
    }
    let mut earlier = if action.is_describe() { cloud.as_read(now) } else { None };
    let cloud = earlier.as_mut().unwrap_or(cloud);
    let own_size = cloud.options.page_size;
    let paged = (own_size > 0 && action.is_describe())
        .then(|| request.params.with(paging::OWN_SIZE, own_size.to_string()));
    let params = paged.as_ref().unwrap_or(&request.params);
    (action.handler)(&mut ApiCall { cloud, caller, params, now })
}

/// With these EC2 refuses what a resource's state, protection or kind does not let it do: a rehearsal asks for the
/// permission alone ("without actually making the request").
const STATES: &[&str] = &[
    "IncorrectInstanceState",
    "IncorrectState",
    "InvalidIPAddress.InUse",
    "OperationNotPermitted",
    "UnsupportedOperation",
    "VolumeInUse",
];

/// Done on a copy: it fails as the real one would but for a state that passes, and changes nothing.
fn rehearse(
    cloud: &Cloud,
    caller: &Caller,
    request: &Request,
    action: &ApiOperation,
    now: DateTime<Utc>,
) -> Result<Xml, ApiError> {
    let mut copy = cloud.clone();
    let mut call = ApiCall { cloud: &mut copy, caller, params: &request.params, now };
    match (action.handler)(&mut call) {
        Err(error) if !STATES.contains(&error.code.as_str()) => Err(error),
        Ok(_) | Err(_) => Err(ApiError::dry_run()),
    }
}

/// All or nothing: what a refused request has begun is undone.
fn write(
    cloud: &mut Cloud,
    caller: &Caller,
    request: &Request,
    action: &ApiOperation,
    now: DateTime<Utc>,
) -> Result<Xml, ApiError> {
    let params = &request.params;
    let token = params.text("ClientToken").filter(|token| !token.is_empty());
    if let Some(token) = token
        && let Some(answered) = cloud.client_tokens.get(&key(action, token))
    {
        return repeated(answered, params);
    }
    let mut after = cloud.clone();
    after.remember(now);
    let xml = (action.handler)(&mut ApiCall { cloud: &mut after, caller, params, now })?;
    if let Some(token) = token {
        let answered = Answered { parameters: params.fingerprint(), xml: xml.as_str().to_owned() };
        after.client_tokens.insert(key(action, token), answered);
    }
    *cloud = after;
    Ok(xml)
}

fn key(action: &ApiOperation, token: &str) -> String {
    format!("{}/{token}", action.name)
}

/// The same request again is the same answer, and nothing is done.
fn repeated(answered: &Answered, params: &Params) -> Result<Xml, ApiError> {
    if answered.parameters == params.fingerprint() {
        return Ok(Xml::from_text(&answered.xml));
    }
    Err(ApiError::bad(
        "IdempotentParameterMismatch",
        "The request uses the same client token as a previous, but non-identical request. Do not reuse a client token with different requests, unless the requests are identical",
    ))
}

fn find(request: &Request) -> Result<&'static ApiOperation, ApiError> {
    let name = request.params.text("Action").ok_or_else(|| ApiError::missing("Action"))?;
    let version = request.params.text("Version").ok_or_else(|| ApiError::missing("Version"))?;
    if version != request.service.version() {
        return Err(ApiError::bad(
            "NoSuchVersion",
            format!("The requested version ({version}) of this service is not known here"),
        ));
    }
    all_operations()
        .find(|action| action.service == request.service && action.name == name)
        .ok_or_else(|| {
            ApiError::bad(
                "InvalidAction",
                format!("The action {name} is not valid for this web service."),
            )
        })
}

fn check_parameters(action: &ApiOperation, request: &Request) -> Result<(), ApiError> {
    let dry_run: &[&str] = if action.dry_run == DryRun::Supported { &["DryRun"] } else { &[] };
    request.params.refuse_unknown(&[COMMON, dry_run, action.parameters])
}

/// Every operation that the endpoint knows.
pub fn all_operations() -> impl Iterator<Item = &'static ApiOperation> {
    [
        addresses::ACTIONS,
        instance_types::ACTIONS,
        instances::ACTIONS,
        instance_attributes::ACTIONS,
        interfaces::ACTIONS,
        interface_lifecycle::ACTIONS,
        launches::ACTIONS,
        private_addresses::ACTIONS,
        gateways::ACTIONS,
        neighbours::ACTIONS,
        route_tables::ACTIONS,
        routes::ACTIONS,
        subnets::ACTIONS,
        vpcs::ACTIONS,
        zones::ACTIONS,
        security_groups::ACTIONS,
        security_group_rules::ACTIONS,
        network_acls::ACTIONS,
        key_pairs::ACTIONS,
        images::ACTIONS,
        tags::ACTIONS,
        volumes::ACTIONS,
        volume_lifecycle::ACTIONS,
        sts::ACTIONS,
        iam::ACTIONS,
        iam_users::ACTIONS,
        simulate::ACTIONS,
    ]
    .into_iter()
    .flatten()
}

impl ApiOperation {
    /// A read that AWS answers from wherever it is.
    fn is_describe(&self) -> bool {
        self.service == Service::Ec2 && self.effect == AccessLevel::Read
    }

    /// A describe of EC2.
    pub const fn describe(
        name: &'static str,
        parameters: &'static [&'static str],
        handler: fn(&mut ApiCall<'_>) -> Result<Xml, ApiError>,
    ) -> Self {
        Self {
            service: Service::Ec2,
            name,
            parameters,
            effect: AccessLevel::Read,
            dry_run: DryRun::Supported,
            resources: Resources::Any,
            handler,
        }
    }

    /// A change of EC2's.
    pub const fn change(
        name: &'static str,
        resources: Resources,
        parameters: &'static [&'static str],
        handler: fn(&mut ApiCall<'_>) -> Result<Xml, ApiError>,
    ) -> Self {
        Self {
            service: Service::Ec2,
            name,
            parameters,
            effect: AccessLevel::Write,
            dry_run: DryRun::Supported,
            resources,
            handler,
        }
    }

    /// The same operation, which policies are asked about on these resources.
    pub const fn on(mut self, resources: Resources) -> Self {
        self.resources = resources;
        self
    }

    pub const fn without_dry_run(mut self) -> Self {
        self.dry_run = DryRun::Absent;
        self
    }
}
