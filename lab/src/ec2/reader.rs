//! Describe calls. Every answer keeps its raw body; one that cannot be read whole is an error, so
//! that "none found" is only said of an answer that really says so.

use std::cell::Cell;
use std::net::Ipv4Addr;
use std::rc::Rc;

use aws_sdk_ec2::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::Filter;

use reports::redact::Form;

use super::AwsConnection;
use super::capture::{Captured, ResponseCapture, is_whole};
use super::facts::{Instance, Missing, NetworkInterface, RouteTable, Subnet, Vpc};
use super::rehearse::Rehearser;

/// A fact and what it was read from.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    pub value: T,
    /// The service and its operation, as `ec2 DescribeNetworkInterfaces`.
    pub call: String,
    /// The bodies, as they came; one for each page.
    pub raw: Vec<Vec<u8>>,
    /// The format that they are written in: what is kept of them depends on it.
    pub form: Form,
    /// More than the number of pages where something had to be repeated.
    pub attempts: u32,
}

/// The failure of a call: AWS refused it, its answer cannot be read, or there was none.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    #[error("{call} was refused with {code}: {message}{}", name_remedy(code))]
    Refused { call: String, code: String, message: String, raw: Vec<u8> },
    #[error("the answer to {call} cannot be read: {why}")]
    Unreadable { call: String, why: String, raw: Vec<u8> },
    #[error("{call} got no answer: {why}")]
    Unreachable { call: String, why: String },
}

/// The remedy where the operator may not.
fn name_remedy(code: &str) -> &'static str {
    match code {
        "UnauthorizedOperation" | "AccessDenied" => {
            "; add the action to the operator's policies: `lab-smoke iam render LAB.toml` writes them"
        }
        _ => "",
    }
}

impl ReadError {
    /// The service's error code, as `UnauthorizedOperation`; none where it did not refuse the request.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// The body of the answer; none where none came.
    pub fn raw(&self) -> Option<&[u8]> {
        match self {
            Self::Refused { raw, .. } | Self::Unreadable { raw, .. } => Some(raw),
            Self::Unreachable { .. } => None,
        }
    }
}

/// One page of an answer, with its body.
pub(super) struct Page<T> {
    pub value: T,
    pub captured: Captured,
}

/// Sends one request and keeps its body.
macro_rules! call {
    ($name:literal, $builder:expr) => {{
        let capture = $crate::ec2::capture::ResponseCapture::default();
        let result = $builder.customize().interceptor(capture.clone()).send().await;
        $crate::ec2::reader::read_page($name, result, &capture)
    }};
}
pub(super) use call;

pub(super) fn read_page<T, E>(
    call: &str,
    result: Result<T, SdkError<E>>,
    capture: &ResponseCapture,
) -> Result<Page<T>, ReadError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let captured = capture.take();
    let call = call.to_owned();
    match result {
        Ok(value) if is_whole(&captured.body) => Ok(Page { value, captured }),
        Ok(_) => Err(ReadError::Unreadable {
            call,
            why: format!("its {} bytes end in the middle", captured.body.len()),
            raw: captured.body,
        }),
        Err(error) => Err(read_error(call, &error, captured)),
    }
}

fn read_error<E>(call: String, error: &SdkError<E>, captured: Captured) -> ReadError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match (error.code(), captured.status) {
        (Some(code), _) => ReadError::Refused {
            call,
            code: code.to_owned(),
            message: error.message().unwrap_or_default().to_owned(),
            raw: captured.body,
        },
        (None, Some(status)) => ReadError::Unreadable {
            call,
            why: format!("HTTP {status}: {}", DisplayErrorContext(error)),
            raw: captured.body,
        },
        (None, None) => {
            ReadError::Unreachable { call, why: DisplayErrorContext(error).to_string() }
        }
    }
}

/// Describe calls of EC2, STS and IAM.
#[derive(Clone)]
pub struct Reader {
    pub(super) ec2: aws_sdk_ec2::Client,
    pub(super) sts: aws_sdk_sts::Client,
    pub(super) iam: aws_sdk_iam::Client,
    pub(super) rehearser: Rehearser,
    calls: Rc<Cell<u32>>,
}

pub(super) fn make_filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// At most 200 values.
pub(super) fn one_of(name: &str, values: &[String]) -> Filter {
    Filter::builder().name(name).set_values(Some(values.to_vec())).build()
}

pub(super) fn join_pages<T>(call: &str, value: T, pages: Vec<Captured>) -> Answer<T> {
    Answer {
        value,
        call: call.to_owned(),
        form: Form::Xml,
        attempts: pages.iter().map(|page| page.attempts).sum(),
        raw: pages.into_iter().map(|page| page.body).collect(),
    }
}

pub(super) fn make_unreadable(call: &str, pages: &[Captured]) -> impl Fn(Missing) -> ReadError {
    let raw = pages.last().map(|page| page.body.clone()).unwrap_or_default();
    let call = call.to_owned();
    move |missing| ReadError::Unreadable {
        call: call.clone(),
        why: missing.to_string(),
        raw: raw.clone(),
    }
}

/// Follows the pages of a describe call and converts every item.
macro_rules! describe {
    ($self:expr, $name:literal, $builder:expr, $items:ident, $fact:ty) => {
        // A block of its own: `?` ends the describe, and the caller may know better than its error.
        async {
            let mut pages = Vec::new();
            let mut facts: Vec<$fact> = Vec::new();
            let mut token = None;
            loop {
                $self.count();
                let page = call!($name, $builder.clone().set_next_token(token))?;
                let next =
                    page.value.next_token().map(str::to_owned).filter(|token| !token.is_empty());
                pages.push(page.captured);
                for item in page.value.$items() {
                    facts.push(item.try_into().map_err(make_unreadable($name, &pages))?);
                }
                match next {
                    Some(next) => token = Some(next),
                    None => break,
                }
            }
            Ok(join_pages($name, facts, pages))
        }
        .await
    };
}
pub(super) use describe;

impl Reader {
    /// A reader whose clients for EC2, STS and IAM use this connection.
    pub fn new(connection: &AwsConnection) -> Self {
        Self {
            ec2: connection.ec2(),
            sts: connection.sts(),
            iam: connection.iam(),
            rehearser: Rehearser::new(connection),
            calls: Rc::default(),
        }
    }

    /// How many requests were made, repetitions by the SDK not counted.
    pub fn calls(&self) -> u32 {
        self.calls.get()
    }

    pub(super) fn count(&self) {
        self.calls.set(self.calls.get() + 1);
    }

    /// `None` where EC2 says that there is no such interface.
    pub async fn network_interface(
        &self,
        id: &str,
    ) -> Result<Answer<Option<NetworkInterface>>, ReadError> {
        let request = self.ec2.describe_network_interfaces().network_interface_ids(id);
        let found: Result<Answer<Vec<NetworkInterface>>, ReadError> = describe!(
            self,
            "ec2 DescribeNetworkInterfaces",
            request,
            network_interfaces,
            NetworkInterface
        );
        match found {
            Ok(answer) => one(answer, id, |eni| &eni.network_interface_id),
            Err(ReadError::Refused { call, code, raw, .. })
                if code == "InvalidNetworkInterfaceID.NotFound" =>
            {
                Ok(Answer { value: None, call, raw: vec![raw], form: Form::Xml, attempts: 1 })
            }
            Err(error) => Err(error),
        }
    }

    /// Every interface of the VPC that has `address`, as primary or secondary.
    pub async fn holders_of(
        &self,
        vpc_id: &str,
        address: Ipv4Addr,
    ) -> Result<Answer<Vec<NetworkInterface>>, ReadError> {
        let request = self
            .ec2
            .describe_network_interfaces()
            .filters(make_filter("vpc-id", vpc_id))
            .filters(make_filter("addresses.private-ip-address", &address.to_string()));
        describe!(
            self,
            "ec2 DescribeNetworkInterfaces",
            request,
            network_interfaces,
            NetworkInterface
        )
    }

    /// Every interface of the region that a policy's conditions on tags and VPC name: for each tag
    /// one of its values.
    pub async fn interfaces_named(
        &self,
        tags: &[(String, Vec<String>)],
        vpc_id: Option<&str>,
    ) -> Result<Answer<Vec<NetworkInterface>>, ReadError> {
        let filters = tags.iter().map(|(key, values)| one_of(&format!("tag:{key}"), values));
        let filters = filters.chain(vpc_id.map(|id| make_filter("vpc-id", id))).collect();
        let request = self.ec2.describe_network_interfaces().set_filters(Some(filters));
        describe!(
            self,
            "ec2 DescribeNetworkInterfaces",
            request,
            network_interfaces,
            NetworkInterface
        )
    }

    /// Every interface of the VPC.
    pub async fn interfaces_in(
        &self,
        vpc_id: &str,
    ) -> Result<Answer<Vec<NetworkInterface>>, ReadError> {
        let request = self.ec2.describe_network_interfaces().filters(make_filter("vpc-id", vpc_id));
        describe!(
            self,
            "ec2 DescribeNetworkInterfaces",
            request,
            network_interfaces,
            NetworkInterface
        )
    }

    /// Those of these ids that EC2 lists.
    pub async fn interfaces(
        &self,
        ids: &[String],
    ) -> Result<Answer<Vec<NetworkInterface>>, ReadError> {
        if ids.is_empty() {
            return Ok(nothing_asked("ec2 DescribeNetworkInterfaces"));
        }
        let request =
            self.ec2.describe_network_interfaces().filters(one_of("network-interface-id", ids));
        describe!(
            self,
            "ec2 DescribeNetworkInterfaces",
            request,
            network_interfaces,
            NetworkInterface
        )
    }

    /// Those of these ids that EC2 lists. By filter: one that it does not know any more is absent,
    /// where asking by id would fail the read of all. Absent is not gone.
    pub async fn instances(&self, ids: &[String]) -> Result<Answer<Vec<Instance>>, ReadError> {
        if ids.is_empty() {
            return Ok(nothing_asked("ec2 DescribeInstances"));
        }
        let request = self.ec2.describe_instances().filters(one_of("instance-id", ids));
        self.describe_instances(request).await
    }

    /// All instances of the VPC, sorted by id.
    pub async fn instances_in(&self, vpc_id: &str) -> Result<Answer<Vec<Instance>>, ReadError> {
        let request = self.ec2.describe_instances().filters(make_filter("vpc-id", vpc_id));
        self.describe_instances(request).await
    }

    /// All instances of the region that carry this tag, sorted by id.
    pub async fn instances_tagged(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Answer<Vec<Instance>>, ReadError> {
        let request =
            self.ec2.describe_instances().filters(make_filter(&format!("tag:{key}"), value));
        self.describe_instances(request).await
    }

    async fn describe_instances(
        &self,
        request: aws_sdk_ec2::operation::describe_instances::builders::DescribeInstancesFluentBuilder,
    ) -> Result<Answer<Vec<Instance>>, ReadError> {
        const CALL: &str = "ec2 DescribeInstances";
        let mut pages = Vec::new();
        let mut facts = Vec::new();
        let mut token = None;
        loop {
            self.count();
            let page = call!("ec2 DescribeInstances", request.clone().set_next_token(token))?;
            let next = page.value.next_token().map(str::to_owned).filter(|token| !token.is_empty());
            pages.push(page.captured);
            for instance in page
                .value
                .reservations()
                .iter()
                .flat_map(aws_sdk_ec2::types::Reservation::instances)
            {
                facts.push(Instance::try_from(instance).map_err(make_unreadable(CALL, &pages))?);
            }
            match next {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        facts.sort_by(|a, b| a.instance_id.cmp(&b.instance_id));
        Ok(join_pages(CALL, facts, pages))
    }

    /// The subnet of this id. Fails where EC2 does not know it; never `None`.
    pub async fn subnet(&self, id: &str) -> Result<Answer<Option<Subnet>>, ReadError> {
        let request = self.ec2.describe_subnets().subnet_ids(id);
        let found: Result<Answer<Vec<Subnet>>, ReadError> =
            describe!(self, "ec2 DescribeSubnets", request, subnets, Subnet);
        one(found?, id, |subnet| &subnet.subnet_id)
    }

    /// The VPC of this id. Fails where EC2 does not know it; never `None`.
    pub async fn vpc(&self, id: &str) -> Result<Answer<Option<Vpc>>, ReadError> {
        let request = self.ec2.describe_vpcs().vpc_ids(id);
        let found: Result<Answer<Vec<Vpc>>, ReadError> =
            describe!(self, "ec2 DescribeVpcs", request, vpcs, Vpc);
        one(found?, id, |vpc| &vpc.vpc_id)
    }

    /// All route tables of the VPC: a subnet without an association of its own uses the main one,
    /// and a filter by subnet does not say so.
    pub async fn route_tables(&self, vpc_id: &str) -> Result<Answer<Vec<RouteTable>>, ReadError> {
        let request = self.ec2.describe_route_tables().filters(make_filter("vpc-id", vpc_id));
        describe!(self, "ec2 DescribeRouteTables", request, route_tables, RouteTable)
    }
}

/// Nothing was asked for, so nothing is asked: without a filter EC2 lists all that it has.
pub(super) fn nothing_asked<T>(call: &str) -> Answer<Vec<T>> {
    Answer {
        value: Vec::new(),
        call: call.to_owned(),
        raw: Vec::new(),
        form: Form::Xml,
        attempts: 0,
    }
}

/// Does as [`one`] does, for a filter that may match nothing.
pub(super) fn at_most_one<T>(
    answer: Answer<Vec<T>>,
    id: &str,
    id_of: impl Fn(&T) -> &String,
) -> Result<Answer<Option<T>>, ReadError> {
    if answer.value.is_empty() {
        let Answer { call, raw, form, attempts, .. } = answer;
        return Ok(Answer { value: None, call, raw, form, attempts });
    }
    one(answer, id, id_of)
}

/// The one item that was asked for; another one in its place is not an answer.
fn one<T>(
    answer: Answer<Vec<T>>,
    id: &str,
    id_of: impl Fn(&T) -> &String,
) -> Result<Answer<Option<T>>, ReadError> {
    let Answer { value: mut items, call, raw, form, attempts } = answer;
    let item = items.pop();
    let strange = !items.is_empty() || item.as_ref().is_some_and(|item| id_of(item) != id);
    if strange || item.is_none() {
        let raw = raw.into_iter().next().unwrap_or_default();
        let why = format!("it was asked for {id} alone and does not name exactly that");
        return Err(ReadError::Unreadable { call, why, raw });
    }
    Ok(Answer { value: item, call, raw, form, attempts })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer that names another, several or nothing is no answer to a question for one.
    #[test]
    fn one_that_was_asked_for_alone_is_alone_and_no_other() {
        let answer = |ids: &[&str]| Answer {
            value: ids.iter().map(|&id| id.to_owned()).collect::<Vec<String>>(),
            call: "ec2 DescribeVolumes".to_owned(),
            raw: vec![b"<all/>".to_vec()],
            form: Form::Text,
            attempts: 1,
        };
        let found = one(answer(&["vol-1"]), "vol-1", |id| id).expect("it alone");
        assert_eq!(found.value.as_deref(), Some("vol-1"));
        for ids in [&[][..], &["vol-2"], &["vol-2", "vol-1"], &["vol-1", "vol-1"]] {
            let error = one(answer(ids), "vol-1", |id| id).expect_err("another");
            assert!(error.to_string().contains("does not name exactly that"), "{ids:?}: {error}");
        }
    }
}
