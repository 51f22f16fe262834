//! Every recorded run of the executor that routerd ships, replayed.

use std::path::Path;

use serde_json::Value;

use super::scripted::Machine;

const CASES: usize = 38;

#[tokio::test(start_paused = true)]
async fn every_recorded_run_is_answered_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/tests/fixtures/executor");
    let mut replayed = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            replay(&serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).await;
            replayed += 1;
        }
    }
    assert_eq!(replayed, CASES);
}

async fn replay(case: &Value) {
    let name = &case["name"];
    let machine = Machine::new(case["world"].clone());
    let stdin = match &case["stdin"] {
        Value::String(text) => text.clone(),
        request => request.to_string(),
    };
    let output = machine.run(&stdin).await;

    assert_eq!(Value::from(output.code), case["exitCode"], "{name}");
    assert_eq!(Value::from(String::from_utf8(output.stderr).unwrap()), case["stderr"], "{name}");
    let calls = machine.script(|script| script.calls.clone());
    assert_eq!(Value::from(calls), case["calls"], "{name}");
    match &case["result"] {
        Value::Null => assert!(output.stdout.is_empty(), "{name}"),
        expected => {
            let result = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(up_to_error_code(result), up_to_error_code(expected.clone()), "{name}");
        }
    }
}

/// Cuts the result off behind the error code: what follows is the AWS client's own.
fn up_to_error_code(mut result: Value) -> Value {
    if let Some(error) = result["status"]["error"].as_str() {
        const OPENING: &str = "An error occurred (";
        if let Some(start) = error.find(OPENING) {
            let code = start + OPENING.len();
            let end = code + error[code..].find(')').unwrap();
            result["status"]["error"] = error[..=end].into();
        }
    }
    result
}
