//! Each recorded body is given to the reader that asks for such answers, as if it came from AWS now:
//! the facts name exactly the resources that the body names, or it stands on a list why nobody asks.

use std::path::Path;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use lab::clock::Clock;
use lab::ec2::{AwsConnection, ReadError, Reader, ServiceUrls};

use super::{field, read_json, report};

/// The actions of which no answer is asked by a run, and why not.
const NOT_ASKED: &[(&str, &str)] = &[
    ("DescribeAvailabilityZones", "a run makes nothing, so it chooses no zone"),
    ("DescribeImages", "a run launches nothing"),
    ("DescribeKeyPairs", "a run launches nothing, and logs in with keys of its own"),
];

/// Resources of answers that are no facts of ours, and why not.
const LEFT_OUT: &[(&str, &str, &str)] = &[(
    "DescribeAddresses",
    "<domain>standard</domain>",
    "EC2-Classic's addresses have no allocation id, and no VPC",
)];

/// A cable at whose end this body is always the answer.
#[derive(Clone, Debug)]
struct Recording(String);

impl HttpConnector for Recording {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        let ok = 200_u16.try_into().expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(ok, SdkBody::from(self.0.clone()))))
    }
}

fn reader_of(body: &str) -> Reader {
    let connector = SharedHttpConnector::new(Recording(body.to_owned()));
    let keys = Credentials::new("nobody", "knows", None, None, "a recording");
    Reader::new(&AwsConnection {
        region: "us-east-1".to_owned(),
        credentials: SharedCredentialsProvider::new(keys),
        http_client: http_client_fn(move |_, _| connector.clone()),
        sleep: Clock::System.sdk_sleep(),
        time: Clock::System.sdk_time(),
        urls: ServiceUrls::default(),
        app_name: None,
        retry_partition: "a recording".to_owned(),
    })
}

pub fn every_one_is_read(folder: &Path) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let mut wrong = Vec::new();
    let entries = read_json(folder, "index.json")?;
    for entry in &entries {
        let file = field(entry, "file");
        let action = field(entry, "action");
        if let Err(why) = runtime.block_on(is_read(&folder.join(&file), &action)) {
            wrong.push(format!("{file}: {why}"));
        }
    }
    if entries.is_empty() {
        wrong.push("index.json names no recording".to_owned());
    }
    report(&wrong)
}

async fn is_read(path: &Path, action: &str) -> Result<(), String> {
    let body = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let left_out = |item: &&str| {
        !LEFT_OUT.iter().any(|(of, mark, _)| *of == action && squeezed(item).contains(mark))
    };
    let sought = |set: &str, id: &str| -> Vec<String> {
        let items = items_of(&body, set).into_iter().filter(left_out);
        items.filter_map(|item| Some(element(item, id)?.to_owned())).collect()
    };
    let named = |name: &str| NOT_ASKED.iter().any(|(asked, _)| *asked == name);
    let reader = reader_of(&body);
    let said = |error: ReadError| error.to_string();
    let (facts, expected) = match action {
        "DescribeAddresses" => {
            let all = reader.addresses().await.map_err(said)?.value;
            (ids(&all, |it| &it.allocation_id), sought("addressesSet", "allocationId"))
        }
        "DescribeInstances" => {
            let all = reader.instances_in("vpc-1").await.map_err(said)?.value;
            let reservations = items_of(&body, "reservationSet");
            let instances = reservations.iter().flat_map(|it| items_of(it, "instancesSet"));
            let named = instances.filter_map(|it| Some(element(it, "instanceId")?.to_owned()));
            (ids(&all, |it| &it.instance_id), named.collect())
        }
        "DescribeNetworkInterfaces" => {
            let all = reader.interfaces_in("vpc-1").await.map_err(said)?.value;
            let named = sought("networkInterfaceSet", "networkInterfaceId");
            (ids(&all, |it| &it.network_interface_id), named)
        }
        "DescribeRouteTables" => {
            let all = reader.route_tables("vpc-1").await.map_err(said)?.value;
            (ids(&all, |it| &it.route_table_id), sought("routeTableSet", "routeTableId"))
        }
        "DescribeSecurityGroups" => {
            let all = reader.security_groups("vpc-1").await.map_err(said)?.value;
            (ids(&all, |it| &it.group_id), sought("securityGroupInfo", "groupId"))
        }
        "DescribeVolumes" => {
            let all = reader.volumes(&["vol-1".to_owned()]).await.map_err(said)?.value;
            (ids(&all, |it| &it.volume_id), sought("volumeSet", "volumeId"))
        }
        // These are asked for one by one.
        "DescribeSubnets" => {
            let mut read = Vec::new();
            for item in items_of(&body, "subnetSet") {
                let id = element(item, "subnetId").unwrap_or_default();
                let reader = reader_of(&alone(&body, "subnetSet", item));
                read.extend(reader.subnet(id).await.map_err(said)?.value);
            }
            (ids(&read, |it| &it.subnet_id), sought("subnetSet", "subnetId"))
        }
        "DescribeVpcs" => {
            let mut read = Vec::new();
            for item in items_of(&body, "vpcSet") {
                let id = element(item, "vpcId").unwrap_or_default();
                let reader = reader_of(&alone(&body, "vpcSet", item));
                read.extend(reader.vpc(id).await.map_err(said)?.value);
            }
            (ids(&read, |it| &it.vpc_id), sought("vpcSet", "vpcId"))
        }
        other if named(other) => return Ok(()),
        other => return Err(format!("no reader asks {other}, and no reason says why not")),
    };
    let mut expected: Vec<String> = expected;
    expected.sort();
    if facts == expected {
        return Ok(());
    }
    Err(format!("{} facts {facts:?} of {} items {expected:?}", facts.len(), expected.len()))
}

fn ids<T>(facts: &[T], id_of: impl Fn(&T) -> &String) -> Vec<String> {
    let mut ids: Vec<String> = facts.iter().map(|fact| id_of(fact).clone()).collect();
    ids.sort();
    ids
}

/// The items of a set, as they stand in the body; the sets within them are their own.
fn items_of<'a>(body: &'a str, set: &str) -> Vec<&'a str> {
    let Some(inside) = element(body, set) else { return Vec::new() };
    let (mut items, mut depth, mut begin, mut at) = (Vec::new(), 0_usize, 0, 0);
    while let Some(next) = inside[at..].find('<').map(|offset| at + offset) {
        let rest = &inside[next..];
        at = next + 1;
        if rest.starts_with("<item>") {
            depth += 1;
            if depth == 1 {
                begin = next + "<item>".len();
            }
        } else if rest.starts_with("</item>") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                items.push(&inside[begin..next]);
            }
        }
    }
    items
}

/// The inside of the first element of this name, which must not have another of it within.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// The answer with one item of its set.
fn alone(body: &str, set: &str, item: &str) -> String {
    let inside = element(body, set).unwrap_or_default();
    body.replacen(inside, &format!("<item>{item}</item>"), 1)
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}
