//! Requests as lines: `Action Name=value … => name=tag`, where `$name` is what an earlier answer
//! had in that tag, and `! Code` is an expected refusal.

use std::collections::BTreeMap;

use super::ExampleLab;
use crate::ec2::{Headers, answer_request};
use crate::faults::CallerKind;

pub struct Script<'a> {
    lab: &'a ExampleLab,
    pub names: BTreeMap<String, String>,
}

impl<'a> Script<'a> {
    pub fn new(lab: &'a ExampleLab) -> Self {
        let cloud = lab.cloud();
        let image = |architecture: &str| {
            cloud.images.values().find(|i| i.architecture == architecture).unwrap().id.clone()
        };
        let eni = cloud.interface(&lab.eni).unwrap();
        let names = [
            ("ami", image("x86_64")),
            ("arm_ami", image("arm64")),
            ("lab_eni", lab.eni.clone()),
            ("lab_instance", lab.instance.clone()),
            ("lab_subnet", eni.subnet_id.clone()),
            ("lab_vpc", eni.vpc_id.clone()),
            ("lab_group", eni.groups[0].clone()),
            ("default_vpc", cloud.vpcs.values().find(|v| v.is_default).unwrap().id.clone()),
            ("lab_eip", cloud.addresses.keys().next().unwrap().clone()),
        ];
        let names = names.map(|(name, id)| (name.to_owned(), id)).into();
        Self { lab, names }
    }

    /// All lines, each as it says.
    pub async fn run(&mut self, lines: &[&str]) {
        for line in lines {
            self.line(line).await;
        }
    }

    pub async fn line(&mut self, line: &str) -> String {
        let (request, refused) = match line.split_once(" ! ") {
            Some((request, code)) => (request, Some(code)),
            None => (line, None),
        };
        let (request, captures) = request.split_once(" => ").unwrap_or((request, ""));
        let (status, text) = self.send(request).await;
        if let Some(code) = refused {
            assert_ne!(status, 200, "{line}: {text}");
            assert_eq!(find_element(&text, "Code"), Some(code.to_owned()), "{line}: {text}");
            return text;
        }
        assert_eq!(status, 200, "{line}: {text}");
        for capture in captures.split_whitespace() {
            let (name, element) = capture.split_once('=').unwrap();
            let value = find_element(&text, element).unwrap_or_else(|| panic!("{line}: {text}"));
            self.names.insert(name.to_owned(), value);
        }
        text
    }

    async fn send(&self, request: &str) -> (u16, String) {
        let mut words = request.split_whitespace();
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("Action", words.next().unwrap());
        body.append_pair("Version", "2016-11-15");
        for word in words {
            let (name, value) = word.split_once('=').unwrap();
            body.append_pair(name, &self.filled(value));
        }
        let key = self.lab.shared.lock().cloud.operator.access_key_id.clone();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260101/ap-northeast-1/ec2/aws4_request, SignedHeaders=host, Signature=0"
        );
        let (shared, clock) = (&self.lab.shared, self.lab.clock);
        let body = body.finish();
        let headers = Headers { authorization: Some(&authorization), security_token: None };
        let response =
            answer_request(shared, clock, CallerKind::Operator, headers, body.as_bytes());
        let response = response.await.unwrap();
        (response.status, String::from_utf8(response.body).unwrap())
    }

    fn filled(&self, value: &str) -> String {
        match value.strip_prefix('$') {
            Some(name) => {
                self.names.get(name).unwrap_or_else(|| panic!("{name} was not captured")).clone()
            }
            None => value.to_owned(),
        }
    }
}

/// The text in the first element of that name.
pub fn find_element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
}
