//! Whether a request was signed with the secret that belongs to its access key (AWS Signature
//! Version 4, in the `Authorization` header).

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};

/// A request as it came over the wire.
#[derive(Clone, Copy, Debug)]
pub struct Http<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// Without the question mark.
    pub query: &'a str,
    /// Names in lower case.
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
}

impl<'a> Http<'a> {
    /// The request as a server of the `http` crate's requests got it.
    pub fn of(
        method: &'a http::Method,
        uri: &'a http::Uri,
        headers: &'a [(String, String)],
        body: &'a [u8],
    ) -> Self {
        let query = uri.query().unwrap_or_default();
        Self { method: method.as_str(), path: uri.path(), query, headers, body }
    }
}

/// Why a signature is not good, in AWS's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    Incomplete(String),
    /// The date stamp is too far from the service's time.
    Expired(String),
    Mismatch(String),
}

/// How far a date stamp may be from the service's time.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);
const STAMP: &str = "%Y%m%dT%H%M%SZ";
const DIFFERENT: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

impl Http<'_> {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The parameters' text: in the body, or in the query of a GET.
    pub fn form(&self) -> &[u8] {
        if self.method == "GET" { self.query.as_bytes() } else { self.body }
    }
}

struct Authorization<'a> {
    scope: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl Authorization<'_> {
    fn signs(&self, header: &str) -> bool {
        self.signed_headers.contains(&header)
    }
}

/// # Errors
/// The first flaw, in the order in which AWS looks.
pub fn verify(http: &Http<'_>, secret: &str, now: DateTime<Utc>) -> Result<(), Flaw> {
    let authorization = authorization(http)?;
    let at = check_date(http, &authorization, now)?;
    check_signed(http, &authorization)?;
    match calculate_signature(http, &authorization, secret, at) {
        Some(wanted) if wanted == authorization.signature => Ok(()),
        _ => Err(Flaw::Mismatch(DIFFERENT.to_owned())),
    }
}

/// The signature as the SDK calculates it; none for what cannot be signed.
fn calculate_signature(
    http: &Http<'_>,
    authorization: &Authorization<'_>,
    secret: &str,
    at: DateTime<Utc>,
) -> Option<String> {
    let scope: Vec<&str> = scope_tail(authorization.scope).split('/').collect();
    let [_, region, service, "aws4_request"] = scope[..] else { return None };
    let mut settings = SigningSettings::default();
    // Which headers are signed is the client's choice.
    settings.excluded_headers = None;
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    let identity = Credentials::new("", secret, None, None, "mock").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(at.into())
        .settings(settings)
        .build()
        .ok()?;
    let signed = http.headers.iter().filter(|(name, _)| authorization.signs(name));
    let headers = signed.map(|(name, value)| (name.as_str(), value.as_str()));
    // The host that counts is the header's.
    let uri = format!("http://localhost{}?{}", http.path, http.query);
    let request =
        SignableRequest::new(http.method, uri, headers, SignableBody::Bytes(http.body)).ok()?;
    let (_, signature) = sign(request, &params.into()).ok()?.into_parts();
    Some(signature)
}

fn authorization<'a>(http: &'a Http<'_>) -> Result<Authorization<'a>, Flaw> {
    let header = http.header("authorization").unwrap_or_default();
    let parts = header.strip_prefix("AWS4-HMAC-SHA256").unwrap_or_default();
    let part = |name: &str| {
        parts.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    };
    let required = |name: &str| {
        part(name).ok_or_else(|| {
            Flaw::Incomplete(format!(
                "Authorization header requires '{name}' parameter. Authorization={header}"
            ))
        })
    };
    Ok(Authorization {
        scope: required("Credential")?,
        signature: required("Signature")?,
        signed_headers: required("SignedHeaders")?.split(';').collect(),
    })
}

/// `DATE/REGION/SERVICE/aws4_request`.
fn scope_tail(scope: &str) -> &str {
    scope.split_once('/').map_or("", |(_, tail)| tail)
}

/// Answers when the request was signed.
fn check_date(
    http: &Http<'_>,
    authorization: &Authorization<'_>,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Flaw> {
    let stamp = http.header("x-amz-date").unwrap_or_default();
    let Ok(at) = NaiveDateTime::parse_from_str(stamp, STAMP).map(|at| at.and_utc()) else {
        return Err(Flaw::Incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
                .to_owned(),
        ));
    };
    let date = scope_tail(authorization.scope).split('/').next().unwrap_or_default();
    if !stamp.starts_with(date) || date.len() != 8 {
        return Err(Flaw::Mismatch(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{date}' != '{}', from '{stamp}'.",
            &stamp[..8]
        )));
    }
    let shown = now.format(STAMP);
    if at + TOLERANCE < now {
        let limit = (now - TOLERANCE).format(STAMP);
        return Err(Flaw::Expired(format!(
            "Signature expired: {stamp} is now earlier than {limit} ({shown} - 5 min.)"
        )));
    }
    if at > now + TOLERANCE {
        let limit = (now + TOLERANCE).format(STAMP);
        return Err(Flaw::Expired(format!(
            "Signature not yet current: {stamp} is still later than {limit} ({shown} + 5 min.)"
        )));
    }
    Ok(at)
}

/// The host and everything of Amazon's must be under the signature.
fn check_signed(http: &Http<'_>, authorization: &Authorization<'_>) -> Result<(), Flaw> {
    if !authorization.signs("host") {
        return Err(Flaw::Mismatch(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
        ));
    }
    let unsigned = http
        .headers
        .iter()
        .find(|(name, _)| name.starts_with("x-amz-") && !authorization.signs(name));
    if unsigned.is_some() {
        return Err(Flaw::Mismatch(DIFFERENT.to_owned()));
    }
    let payload = http.header("x-amz-content-sha256");
    if payload.is_some_and(|given| given != hash(http.body)) {
        return Err(Flaw::Mismatch(DIFFERENT.to_owned()));
    }
    Ok(())
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn headers(signed: &str, signature: &str) -> Vec<(String, String)> {
        let scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
        [
            ("host", "example.amazonaws.com".to_owned()),
            ("x-amz-date", "20150830T123600Z".to_owned()),
            (
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={signed}, Signature={signature}"
                ),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        let stamp: DateTime<Utc> = "2015-08-30T12:36:00Z".parse().expect("a time");
        stamp + TimeDelta::minutes(minutes)
    }

    /// From AWS's published test suite: get-vanilla and get-vanilla-query-order-key-case.
    #[test]
    fn the_published_vectors_are_verified_and_nothing_else_is() {
        let vectors = [
            ("", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            (
                "Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
        ];
        for (query, signature) in vectors {
            let headers = headers("host;x-amz-date", signature);
            let http = Http { method: "GET", path: "/", query, headers: &headers, body: b"" };
            assert_eq!(verify(&http, SECRET, at(0)), Ok(()), "{query}");
            let differs = Err(Flaw::Mismatch(DIFFERENT.to_owned()));
            assert_eq!(verify(&http, "another", at(0)), differs);
            assert_eq!(verify(&Http { body: b"x", ..http }, SECRET, at(0)), differs);
            assert_eq!(verify(&Http { method: "POST", ..http }, SECRET, at(0)), differs);
            assert_eq!(verify(&Http { query: "a=b", ..http }, SECRET, at(0)), differs);
            assert_eq!(verify(&http, SECRET, at(5)), Ok(()));
            for minutes in [-6, 6] {
                let late = verify(&http, SECRET, at(minutes));
                assert!(matches!(late, Err(Flaw::Expired(_))), "{late:?}");
            }
        }
    }

    #[test]
    fn what_is_not_under_the_signature_does_not_count() {
        let without_host = headers("x-amz-date", "00");
        let without_date = headers("host", "00");
        for headers in [without_host, without_date] {
            let http = Http { method: "GET", path: "/", query: "", headers: &headers, body: b"" };
            assert!(matches!(verify(&http, SECRET, at(0)), Err(Flaw::Mismatch(_))));
        }
        let none = Http { method: "GET", path: "/", query: "", headers: &[], body: b"" };
        assert!(matches!(verify(&none, SECRET, at(0)), Err(Flaw::Incomplete(_))));
    }
}
