//! The endpoints of a served world besides AWS's APIs, under `/_lab-smoke/`.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::ec2::list_operations;
use super::faults::ApiFault;
use super::serve::{Endpoint, answer_unsaved};
use super::state_file::to_json;

type ControlError = (StatusCode, String);

/// `GET /_lab-smoke/world`: all of it, as JSON.
pub async fn get_world(State(endpoint): State<Endpoint>) -> Response {
    let text = to_json(&endpoint.shared.lock());
    match text {
        Ok(text) => as_json(text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// `POST /_lab-smoke/faults`: a JSON list of faults, which take effect together or not at all. The
/// content type must say JSON, so that no page in a browser can post here.
pub async fn inject_faults(
    State(endpoint): State<Endpoint>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let faults = match check(&headers).and_then(|()| parse(&body)) {
        Ok(faults) => faults,
        Err(refusal) => return refusal.into_response(),
    };
    let all = {
        let mut world = endpoint.shared.lock();
        world.faults.api.extend(faults);
        json!({ "api": world.faults.api }).to_string()
    };
    match endpoint.save() {
        Ok(()) => as_json(all),
        Err(error) => answer_unsaved(&error),
    }
}

fn check(headers: &HeaderMap) -> Result<(), ControlError> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if given.is_some_and(|given| given.split(';').next() == Some("application/json")) {
        return Ok(());
    }
    let message = "The content type must be application/json.\n".to_owned();
    Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}

/// A fault's counters start at nothing, and it hits once, unless it says otherwise.
fn parse(body: &[u8]) -> Result<Vec<ApiFault>, ControlError> {
    let refused = |error: serde_json::Error| {
        (StatusCode::BAD_REQUEST, format!("This is no list of faults: {error}\n"))
    };
    let mut list: Vec<Value> = serde_json::from_slice(body).map_err(refused)?;
    let defaults = [
        ("caller", json!("anyone")),
        ("skip", json!(0)),
        ("times", json!(1)),
        ("seen", json!(0)),
        ("fired", json!(0)),
    ];
    for fault in list.iter_mut().filter_map(Value::as_object_mut) {
        for (name, value) in &defaults {
            fault.entry(*name).or_insert_with(|| value.clone());
        }
    }
    let faults: Vec<ApiFault> = serde_json::from_value(Value::Array(list)).map_err(refused)?;
    let known = list_operations();
    match faults.iter().find(|fault| known.iter().all(|it| it.name != fault.action)) {
        // It would never fire, and whoever posted it would think that it had no effect.
        Some(fault) => Err((
            StatusCode::BAD_REQUEST,
            format!("{} is no action of EC2, STS or IAM that is served here.\n", fault.action),
        )),
        None => Ok(faults),
    }
}

fn as_json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
