//! Answers in the shape of each service.

use super::error::ApiError;
use super::request::Service;
use super::xml::Xml;

/// One HTTP response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

const XML: &str = "text/xml;charset=UTF-8";

impl Response {
    pub fn plain(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type: "text/plain", body: body.into() }
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
        Self { status: 200, content_type: XML, body: xml.into_document().into_bytes() }
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
        Self { status: error.status, content_type: XML, body: xml.into_document().into_bytes() }
    }
}

fn metadata(xml: &mut Xml, request_id: &str) {
    xml.element("ResponseMetadata", |xml| xml.leaf("RequestId", request_id));
}
