//! A machine whose network is a script: a metadata service and EC2's Query protocol answered from
//! one fixture's world, with every call recorded in the fixtures' words.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use chrono::{DateTime, TimeZone, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use lab::clock::Clock;
use lab::node::Output;
use lab_programs::process::{Child, Host, OpenMode, Process, SpawnError};
use serde_json::{Map, Value, json};

/// Befalls each call of one operation.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Never answered.
    Hang,
    /// Answered after so many seconds.
    Slow(u64),
    /// After the request has left.
    ConnectionLost,
    /// Before it.
    ConnectionRefused,
    /// The answer ends after so many bytes.
    Cut(usize),
    /// This instead of EC2's answer.
    Answer(u16, &'static str),
}

#[derive(Clone, Copy, Debug)]
pub enum Metadata {
    Healthy,
    NoRole,
    Refused,
    Silent,
    Expired,
}

#[derive(Debug)]
pub struct Script {
    pub world: Value,
    pub metadata: Metadata,
    pub faults: BTreeMap<&'static str, Fault>,
    /// The calls, as in the fixtures: `{"operation": …, "arguments": {…}}`.
    pub calls: Vec<Value>,
    /// Scheme and authority of each request.
    pub endpoints: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Network(Arc<Mutex<Script>>);

pub struct Machine {
    network: Network,
    clock: Clock,
    pub env: BTreeMap<String, String>,
    pub files: BTreeMap<&'static str, String>,
}

/// The world of most fixtures: a check that is on, one secondary address, one route.
pub fn default_world() -> Value {
    json!({
        "sourceDestCheck": true, "primary": "10.88.60.1", "secondary": ["10.88.60.5"],
        "routes": [{"DestinationCidrBlock": "10.88.60.9/32", "NetworkInterfaceId": "eni-1"}],
        "apiErrors": {}, "noSuchInterface": false,
    })
}

impl Machine {
    pub fn new(world: Value) -> Self {
        let script = Script {
            world,
            metadata: Metadata::Healthy,
            faults: BTreeMap::new(),
            calls: Vec::new(),
            endpoints: Vec::new(),
        };
        let epoch = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap();
        let network = Network(Arc::new(Mutex::new(script)));
        Self {
            network,
            clock: Clock::starting_at(epoch),
            env: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }

    pub fn with_fault(self, operation: &'static str, fault: Fault) -> Self {
        self.script(|script| script.faults.insert(operation, fault));
        self
    }

    pub fn with_metadata(self, metadata: Metadata) -> Self {
        self.script(|script| script.metadata = metadata);
        self
    }

    pub fn with_api_error(self, operation: &str, text: &str) -> Self {
        self.script(|script| script.world["apiErrors"][operation] = text.into());
        self
    }

    pub fn script<T>(&self, look: impl FnOnce(&mut Script) -> T) -> T {
        look(&mut self.network.0.lock().unwrap())
    }

    /// The operations called, in order.
    pub fn operations(&self) -> Vec<String> {
        let name = |call: &Value| call["operation"].as_str().unwrap().to_owned();
        self.script(|script| script.calls.iter().map(name).collect())
    }

    pub async fn run(&self, stdin: &str) -> Output {
        // Boxed, because a node of the mock runs it behind the SDK's futures, which must be Send.
        lab_programs::executor::main(self.process("aws-provider-executor", stdin)).boxed().await
    }

    pub fn process(&self, program: &str, stdin: &str) -> Process<'_> {
        let argv = vec![program.to_owned()];
        Process { argv, env: self.env.clone(), stdin: stdin.into(), host: self }
    }

    /// `status` of the result.
    pub async fn status(&self, request: &Value) -> Value {
        let output = self.run(&request.to_string()).await;
        assert_eq!((output.code, output.stderr.as_slice()), (0, [].as_slice()));
        let mut result: Value = serde_json::from_slice(&output.stdout).unwrap();
        result["status"].take()
    }

    pub async fn seconds_passed(&self, run: impl Future<Output = Value>) -> (i64, Value) {
        let start = self.clock.now();
        let status = run.await;
        ((self.clock.now() - start).num_seconds(), status)
    }
}

impl Host for Machine {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = path.to_str().and_then(|path| self.files.get(path));
        file.map(|text| text.clone().into_bytes()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn file_mode(&self, _: &Path) -> io::Result<u32> {
        panic!("no program here looks at a file's mode")
    }

    fn with_database(
        &self,
        _: &Path,
        _: OpenMode,
        _: &mut dyn FnMut(&mut rusqlite::Connection) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        panic!("no program here has a database")
    }

    fn spawn(&self, _: Child) -> BoxFuture<'_, Result<Output, SpawnError>> {
        panic!("no program here starts another")
    }

    fn http_client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.network.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    fn sleep(&self) -> SharedAsyncSleep {
        self.clock.sdk_sleep()
    }

    fn time_source(&self) -> SharedTimeSource {
        self.clock.sdk_time()
    }
}

impl HttpConnector for Network {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let network = self.clone();
        HttpConnectorFuture::new(async move { network.answer(&request).await })
    }
}

impl Network {
    async fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let uri: http::Uri = request.uri().parse().unwrap();
        let endpoint = format!("{}://{}", uri.scheme_str().unwrap(), uri.authority().unwrap());
        let path = uri.path().to_owned();
        self.0.lock().unwrap().endpoints.push(endpoint);
        if path == "/" { self.ec2(request).await } else { self.metadata(request, &path).await }
    }

    async fn metadata(
        &self,
        request: &HttpRequest,
        path: &str,
    ) -> Result<HttpResponse, ConnectorError> {
        const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
        let metadata = self.0.lock().unwrap().metadata;
        match metadata {
            Metadata::Refused => return Err(broken(io::ErrorKind::ConnectionRefused)),
            Metadata::Silent => std::future::pending().await,
            Metadata::Healthy | Metadata::NoRole | Metadata::Expired => {}
        }
        if path == "/latest/api/token" {
            assert_eq!(request.method(), "PUT");
            let mut token = response(200, "a-token".into());
            token.headers_mut().insert("x-aws-ec2-metadata-token-ttl-seconds", "21600");
            return Ok(token);
        }
        assert_eq!(request.headers().get("x-aws-ec2-metadata-token"), Some("a-token"), "IMDSv2");
        let document = match (metadata, path.strip_prefix(ROLES)) {
            (Metadata::NoRole, Some("")) => return Ok(response(404, "Not Found".into())),
            (_, Some("")) => "routerd-lab".into(),
            (Metadata::Expired, Some("routerd-lab")) => {
                json!({"Code": "AssumeRoleUnauthorizedAccess",
                "Message": "EC2 cannot assume the role routerd-lab."})
                .to_string()
            }
            (_, Some("routerd-lab")) => json!({"Code": "Success", "Type": "AWS-HMAC",
                "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "secret", "Token": "session",
                "Expiration": "2026-01-01T06:00:00Z"})
            .to_string(),
            other => panic!("the executor asked the metadata service for {other:?}"),
        };
        Ok(response(200, document))
    }

    async fn ec2(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let body = request.body().bytes().unwrap().to_vec();
        let parameters: BTreeMap<String, String> =
            form_urlencoded::parse(&body).into_owned().collect();
        let operation = parameters["Action"].clone();
        assert_eq!(request.headers().get("x-amz-security-token"), Some("session"));
        let region = region_of(request);
        let (answer, fault) = {
            let mut script = self.0.lock().unwrap();
            let arguments = arguments(&operation, &parameters, &region);
            script.calls.push(json!({"operation": operation, "arguments": arguments}));
            (
                answer(&script.world, &operation, &parameters),
                script.faults.get(&*operation).cloned(),
            )
        };
        match fault {
            None => Ok(answer),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Slow(seconds)) => {
                Clock::System.sleep(std::time::Duration::from_secs(seconds)).await;
                Ok(answer)
            }
            Some(Fault::ConnectionLost) => Err(broken(io::ErrorKind::ConnectionReset)),
            Some(Fault::ConnectionRefused) => Err(broken(io::ErrorKind::ConnectionRefused)),
            Some(Fault::Cut(end)) => {
                let body = answer.body().bytes().unwrap();
                Ok(response(200, String::from_utf8(body[..end].to_vec()).unwrap()))
            }
            Some(Fault::Answer(status, body)) => Ok(response(status, body.into())),
        }
    }
}

fn broken(kind: io::ErrorKind) -> ConnectorError {
    ConnectorError::io(io::Error::from(kind).into())
}

fn response(status: u16, body: String) -> HttpResponse {
    HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))
}

/// From the signature's scope, which is what EC2 goes by.
fn region_of(request: &HttpRequest) -> String {
    let authorization = request.headers().get("authorization").unwrap();
    let scope = authorization.split_once("Credential=").unwrap().1.split(',').next().unwrap();
    let parts: Vec<&str> = scope.split('/').collect();
    assert_eq!((parts[0], parts[1], parts[3]), ("ASIAEXAMPLE", "20260101", "ec2"));
    parts[2].into()
}

/// The fixtures name arguments as the AWS CLI does; a parameter without such a name is refused.
fn arguments(operation: &str, sent: &BTreeMap<String, String>, region: &str) -> Value {
    let mut arguments = Map::new();
    arguments.insert("region".into(), region.into());
    for (name, value) in sent {
        let (option, value) = match (name.as_str(), value.as_str()) {
            ("Action" | "Version", _) => continue,
            ("NetworkInterfaceId.1", eni) => ("network-interface-ids", json!(eni)),
            ("NetworkInterfaceId", eni) => ("network-interface-id", json!(eni)),
            ("PrivateIpAddress.1", address) => ("private-ip-addresses", json!(address)),
            ("AllowReassignment", "true") => ("allow-reassignment", json!(true)),
            ("SourceDestCheck.Value", "true") => ("source-dest-check", json!(true)),
            ("SourceDestCheck.Value", "false") => ("no-source-dest-check", json!(true)),
            ("RouteTableId.1", table) => ("route-table-ids", json!(table)),
            ("RouteTableId", table) => ("route-table-id", json!(table)),
            ("DestinationCidrBlock", to) => ("destination-cidr-block", json!(to)),
            (name, value) => panic!("{operation} with {name}={value}"),
        };
        arguments.insert(option.into(), value);
    }
    Value::Object(arguments)
}

fn answer(world: &Value, operation: &str, sent: &BTreeMap<String, String>) -> HttpResponse {
    if let Some(error) = world["apiErrors"].get(operation) {
        return api_error(error.as_str().unwrap());
    }
    let content = match operation {
        "DescribeNetworkInterfaces" => interfaces(world, &sent["NetworkInterfaceId.1"]),
        "DescribeRouteTables" => route_tables(world, &sent["RouteTableId.1"]),
        _ => "<return>true</return>".into(),
    };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{operation}Response \
         xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r-1</requestId>\
         {content}</{operation}Response>\n"
    );
    response(200, body)
}

fn interfaces(world: &Value, eni: &str) -> String {
    if world["noSuchInterface"] == true {
        return "<networkInterfaceSet/>".into();
    }
    let address = |address: &Value, primary: bool| {
        let address = address.as_str().unwrap();
        format!(
            "<item><privateIpAddress>{address}</privateIpAddress><primary>{primary}</primary></item>"
        )
    };
    let mut addresses = address(&world["primary"], true);
    for secondary in world["secondary"].as_array().unwrap() {
        addresses.push_str(&address(secondary, false));
    }
    let check = match &world["sourceDestCheck"] {
        Value::Null => String::new(),
        check => format!("<sourceDestCheck>{check}</sourceDestCheck>"),
    };
    let id = world["answersFor"].as_str().unwrap_or(eni);
    format!(
        "<networkInterfaceSet><item><networkInterfaceId>{id}</networkInterfaceId>{check}\
         <privateIpAddressesSet>{addresses}</privateIpAddressesSet></item></networkInterfaceSet>"
    )
}

fn route_tables(world: &Value, table: &str) -> String {
    let route = |route: &Value| {
        let text = |key: &str| route[key].as_str().unwrap();
        let (to, interface) = (text("DestinationCidrBlock"), text("NetworkInterfaceId"));
        format!(
            "<item><destinationCidrBlock>{to}</destinationCidrBlock>\
             <networkInterfaceId>{interface}</networkInterfaceId></item>"
        )
    };
    let routes: Vec<String> = world["routes"].as_array().unwrap().iter().map(route).collect();
    let routes = routes.concat();
    format!(
        "<routeTableSet><item><routeTableId>{table}</routeTableId>\
         <routeSet>{routes}</routeSet></item></routeTableSet>"
    )
}

/// A fixture has the AWS CLI's words: the code in parentheses, the message after the first colon.
fn api_error(text: &str) -> HttpResponse {
    let code = text.split_once('(').unwrap().1.split_once(')').unwrap().0;
    let message = text.split_once(": ").map_or("", |(_, message)| message);
    let status = if code == "RequestLimitExceeded" { 503 } else { 400 };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code>\
         <Message>{message}</Message></Error></Errors><RequestID>r-1</RequestID></Response>"
    );
    response(status, body)
}
