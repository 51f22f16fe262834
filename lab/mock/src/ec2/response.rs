//! Answers in the shape of each service.

use super::error::ApiError;
use super::request::Service;
use super::xml::Xml;

/// One HTTP response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

const XML: &str = "text/xml;charset=UTF-8";

impl Response {
    pub fn plain(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::typed(status, "text/plain", body.into())
    }

    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn typed(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("content-type", content_type.to_owned())], body }
    }

    pub fn success(service: Service, action: &str, request_id: &str, result: &Xml) -> Self {
        let mut xml = Xml::new();
        let root = format!("{action}Response");
        match service {
            Service::Ec2 => {
                xml.root(&root, "http://ec2.amazonaws.com/doc/2016-11-15/", |xml| {
                    xml.leaf("requestId", request_id);
                    xml.append(result);
                });
            }
            Service::Sts | Service::Iam => {
                let namespace = format!(
                    "https://{}.amazonaws.com/doc/{}/",
                    service.as_str(),
                    service.version()
                );
                xml.root(&root, &namespace, |xml| {
                    xml.element(&format!("{action}Result"), |xml| xml.append(result));
                    metadata(xml, request_id);
                });
            }
        }
        Self::typed(200, XML, xml.into_document().into_bytes())
    }

    pub fn error(service: Service, request_id: &str, error: &ApiError) -> Self {
        let mut xml = Xml::new();
        let body = |xml: &mut Xml| {
            xml.leaf("Code", &error.code);
            xml.leaf("Message", &error.message);
        };
        match service {
            Service::Ec2 => xml.element("Response", |xml| {
                xml.element("Errors", |xml| xml.element("Error", body));
                xml.leaf("RequestID", request_id);
            }),
            Service::Sts | Service::Iam => {
                let namespace = format!(
                    "https://{}.amazonaws.com/doc/{}/",
                    service.as_str(),
                    service.version()
                );
                xml.root("ErrorResponse", &namespace, |xml| {
                    xml.element("Error", |xml| {
                        xml.leaf("Type", if error.status < 500 { "Sender" } else { "Receiver" });
                        body(xml);
                    });
                    xml.leaf("RequestId", request_id);
                });
            }
        }
        Self::typed(error.status, XML, xml.into_document().into_bytes())
    }
}

fn metadata(xml: &mut Xml, request_id: &str) {
    xml.element("ResponseMetadata", |xml| xml.leaf("RequestId", request_id));
}
