//! The calls of EC2. A [`Describer`] can only read; the mutating calls are methods of [`Caller`],
//! which nobody can make out of a `Describer`. A preview is handed a `Describer`.

use std::future::Future;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::{
    BehaviorVersion, Config, IdentityCache, Region, StalledStreamProtectionConfig,
};
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{AttributeBooleanValue, NetworkInterface, RouteTable};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures::FutureExt;
use tokio::sync::OnceCell;

use crate::process::Process;

use super::action::{Reassignment, RouteEntry};
use super::answer::WholeAnswer;
use super::deadline::{ALL_ENDS, Deadline, READS_END, TimeUp};
use super::error::{AwsCommand, CallEffect, CallError};
use super::identity;
use lab::golang::quote;

type SdkResult<O, E> = Result<O, SdkError<E, HttpResponse>>;

pub(super) struct Describer<'a> {
    link: RegionalClient<'a>,
}

/// The one interface that was asked for, as a describe showed it.
pub(super) struct DescribedInterface {
    id: String,
    source_dest_check: Option<bool>,
    pub secondary_addresses: Vec<String>,
}

impl Describer<'_> {
    pub async fn interface(&self, eni: &str) -> Result<DescribedInterface, CallError> {
        let arguments = format!("--network-interface-ids {eni}");
        let command = self.link.command(
            "DescribeNetworkInterfaces",
            "describe-network-interfaces",
            &arguments,
        );
        let answer = self
            .link
            .read(&command, |ec2| {
                ec2.describe_network_interfaces().network_interface_ids(eni).send()
            })
            .await?;
        DescribedInterface::find(eni, answer.network_interfaces())
    }

    /// The routes of one table: destination and interface.
    pub async fn routes(&self, table: &str) -> Result<Vec<(String, String)>, CallError> {
        let arguments = format!("--route-table-ids {table}");
        let command = self.link.command("DescribeRouteTables", "describe-route-tables", &arguments);
        let answer = self
            .link
            .read(&command, |ec2| ec2.describe_route_tables().route_table_ids(table).send())
            .await?;
        routes_of(table, answer.route_tables())
    }
}

impl DescribedInterface {
    fn find(eni: &str, answered: &[NetworkInterface]) -> Result<Self, CallError> {
        let eni_quoted = quote(eni);
        let nothing = |what: &str| {
            CallError::uninformative(format!("describe-network-interfaces {what} {eni_quoted}"))
        };
        if answered.is_empty() {
            return Err(nothing("returned no interface for"));
        }
        let interface = answered
            .iter()
            .find(|interface| interface.network_interface_id() == Some(eni))
            .ok_or_else(|| nothing("returned other interfaces than"))?;
        let secondary_addresses = interface
            .private_ip_addresses()
            .iter()
            .filter(|address| address.primary() != Some(true))
            .map(|address| address.private_ip_address().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| nothing("returned an address without a value for"))?;
        let source_dest_check = interface.source_dest_check();
        Ok(Self { id: eni.into(), source_dest_check, secondary_addresses })
    }

    /// A check that is not mentioned is not off: what is restored one day depends on it.
    pub fn source_dest_check(&self) -> Result<bool, CallError> {
        self.source_dest_check.ok_or_else(|| {
            CallError::uninformative(format!(
                "describe-network-interfaces returned no SourceDestCheck for {}",
                quote(&self.id)
            ))
        })
    }
}

fn routes_of(id: &str, answered: &[RouteTable]) -> Result<Vec<(String, String)>, CallError> {
    let table = answered.iter().find(|table| table.route_table_id() == Some(id));
    let table = table.ok_or_else(|| {
        let id = quote(id);
        CallError::uninformative(format!("describe-route-tables returned no route table for {id}"))
    })?;
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    Ok(table
        .routes()
        .iter()
        .map(|route| (text(route.destination_cidr_block()), text(route.network_interface_id())))
        .collect())
}

pub(super) struct Ec2Caller<'a> {
    describer: Describer<'a>,
}

impl<'a> Ec2Caller<'a> {
    pub fn new(process: &'a Process<'a>, region: &str) -> Self {
        let deadline = Deadline::starting_now(&process.host.sleep());
        let link =
            RegionalClient { process, region: region.into(), deadline, client: OnceCell::new() };
        Self { describer: Describer { link } }
    }

    pub fn describer(&self) -> &Describer<'a> {
        &self.describer
    }

    pub async fn assign(
        &self,
        eni: &str,
        address: &str,
        reassignment: Reassignment,
    ) -> Result<(), CallError> {
        let mut command = self.command(
            "AssignPrivateIpAddresses",
            "assign-private-ip-addresses",
            &format!("--network-interface-id {eni} --private-ip-addresses {address}"),
        );
        let allowed = match reassignment {
            Reassignment::Allowed => {
                command.line.push_str(" --allow-reassignment");
                Some(true)
            }
            Reassignment::Refused => None,
        };
        self.mutate(&command, |ec2| {
            ec2.assign_private_ip_addresses()
                .network_interface_id(eni)
                .private_ip_addresses(address)
                .set_allow_reassignment(allowed)
                .send()
        })
        .await
    }

    pub async fn unassign(&self, eni: &str, address: &str) -> Result<(), CallError> {
        let command = self.command(
            "UnassignPrivateIpAddresses",
            "unassign-private-ip-addresses",
            &format!("--network-interface-id {eni} --private-ip-addresses {address}"),
        );
        self.mutate(&command, |ec2| {
            ec2.unassign_private_ip_addresses()
                .network_interface_id(eni)
                .private_ip_addresses(address)
                .send()
        })
        .await
    }

    pub async fn disable_source_dest_check(&self, eni: &str) -> Result<(), CallError> {
        self.set_source_dest_check(eni, "--no-source-dest-check", false).await
    }

    pub async fn enable_source_dest_check(&self, eni: &str) -> Result<(), CallError> {
        self.set_source_dest_check(eni, "--source-dest-check", true).await
    }

    async fn set_source_dest_check(
        &self,
        eni: &str,
        option: &str,
        check: bool,
    ) -> Result<(), CallError> {
        let command = self.command(
            "ModifyNetworkInterfaceAttribute",
            "modify-network-interface-attribute",
            &format!("--network-interface-id {eni} {option}"),
        );
        let value = AttributeBooleanValue::builder().value(check).build();
        self.mutate(&command, |ec2| {
            ec2.modify_network_interface_attribute()
                .network_interface_id(eni)
                .source_dest_check(value)
                .send()
        })
        .await
    }

    pub async fn create_route(&self, route: &RouteEntry) -> Result<(), CallError> {
        let command = self.command("CreateRoute", "create-route", &route_arguments(route));
        self.mutate(&command, |ec2| {
            ec2.create_route()
                .route_table_id(&route.table)
                .destination_cidr_block(&route.destination)
                .network_interface_id(&route.eni)
                .send()
        })
        .await
    }

    pub async fn replace_route(&self, route: &RouteEntry) -> Result<(), CallError> {
        let command = self.command("ReplaceRoute", "replace-route", &route_arguments(route));
        self.mutate(&command, |ec2| {
            ec2.replace_route()
                .route_table_id(&route.table)
                .destination_cidr_block(&route.destination)
                .network_interface_id(&route.eni)
                .send()
        })
        .await
    }

    pub async fn delete_route(&self, route: &RouteEntry) -> Result<(), CallError> {
        let RouteEntry { table, destination, .. } = route;
        let arguments = format!("--route-table-id {table} --destination-cidr-block {destination}");
        let command = self.command("DeleteRoute", "delete-route", &arguments);
        self.mutate(&command, |ec2| {
            ec2.delete_route().route_table_id(table).destination_cidr_block(destination).send()
        })
        .await
    }

    fn command(&self, operation: &'static str, verb: &str, arguments: &str) -> AwsCommand {
        let command = self.describer.link.command(operation, verb, arguments);
        AwsCommand { effect: CallEffect::Mutates, ..command }
    }

    async fn mutate<O, E, F>(
        &self,
        command: &AwsCommand,
        call: impl FnOnce(&Client) -> F,
    ) -> Result<(), CallError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = SdkResult<O, E>> + Send,
    {
        self.describer.link.mutate(command, call).await
    }
}

fn route_arguments(route: &RouteEntry) -> String {
    let RouteEntry { table, destination, eni } = route;
    format!(
        "--route-table-id {table} --destination-cidr-block {destination} \
         --network-interface-id {eni}"
    )
}

/// The way to EC2 of one region, opened by the first call: a request that needs no call needs no
/// identity either.
struct RegionalClient<'a> {
    process: &'a Process<'a>,
    region: String,
    deadline: Deadline,
    client: OnceCell<Client>,
}

impl RegionalClient<'_> {
    /// A command that reads.
    fn command(&self, operation: &'static str, verb: &str, arguments: &str) -> AwsCommand {
        let line = format!("ec2 {verb} {arguments} --region {}", self.region);
        AwsCommand { operation, line, effect: CallEffect::Reads }
    }

    async fn read<O, E, F>(
        &self,
        command: &AwsCommand,
        call: impl FnOnce(&Client) -> F,
    ) -> Result<O, CallError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = SdkResult<O, E>> + Send,
    {
        let client = self.client(command).await?;
        match self.deadline.read(call(client).boxed()).await {
            Ok(answer) => answer.map_err(|error| CallError::from_sdk(command, &error)),
            Err(TimeUp) => Err(CallError::unanswered(command, &too_late(READS_END))),
        }
    }

    async fn mutate<O, E, F>(
        &self,
        command: &AwsCommand,
        call: impl FnOnce(&Client) -> F,
    ) -> Result<(), CallError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = SdkResult<O, E>> + Send,
    {
        let client = self.client(command).await?;
        self.deadline
            .may_begin_mutation()
            .map_err(|TimeUp| CallError::not_sent(command, &too_late(READS_END)))?;
        match self.deadline.mutation(call(client).boxed()).await {
            Ok(answer) => answer.map(|_| ()).map_err(|error| CallError::from_sdk(command, &error)),
            Err(TimeUp) => Err(CallError::unanswered(command, &too_late(ALL_ENDS))),
        }
    }

    async fn client(&self, command: &AwsCommand) -> Result<&Client, CallError> {
        let connect = self.client.get_or_try_init(|| self.connect()).boxed();
        match self.deadline.read(connect).await {
            Ok(client) => client.map_err(|reason| CallError::not_sent(command, &reason)),
            Err(TimeUp) => Err(CallError::not_sent(command, &too_late(READS_END))),
        }
    }

    async fn connect(&self) -> Result<Client, String> {
        let credentials = identity::of_the_instance(self.process).await?;
        let host = self.process.host;
        let endpoint = ["AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL"]
            .into_iter()
            .find_map(|name| identity::read_variable(self.process, name));
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(credentials)
            .identity_cache(IdentityCache::no_cache())
            .http_client(host.http_client())
            .sleep_impl(host.sleep())
            .time_source(host.time_source())
            // One request is one call: a mutation whose answer was lost must not be sent again.
            .retry_config(RetryConfig::disabled())
            // The deadline does that, and without guessing at throughput.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .interceptor(WholeAnswer);
        config.set_endpoint_url(endpoint.map(str::to_owned));
        Ok(Client::from_conf(config.build()))
    }
}

fn too_late(end: std::time::Duration) -> String {
    format!("the request is {} s old, and routerd would soon kill its executor", end.as_secs())
}
