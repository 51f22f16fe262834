//! Refuses an answer that ends early. The SDK reads a success that was cut off as a success with
//! fewer facts: no interfaces, a shortened id, a check that is not mentioned.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

#[derive(Debug)]
pub(super) struct WholeAnswer;

impl Intercept for WholeAnswer {
    fn name(&self) -> &'static str {
        "WholeAnswer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if !response.status().is_success() {
            return Ok(());
        }
        match response.body().bytes() {
            Some(body) if is_whole(body) => Ok(()),
            _ => Err("the answer ends early".into()),
        }
    }
}

/// EC2 answers `<OperationResponse …>…</OperationResponse>`, and nothing follows.
fn is_whole(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    let Some(last) = text.trim_end().strip_suffix("Response>") else { return false };
    last.rfind("</")
        .is_some_and(|start| last[start + 2..].bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn an_answer_is_whole_when_its_element_is_closed() {
        let whole = "<?xml version=\"1.0\"?>\n<XResponse xmlns=\"y\"><a>b</a></XResponse>\n";
        assert!(is_whole(whole.as_bytes()));
        for end in 0..whole.trim_end().len() {
            assert!(!is_whole(&whole.as_bytes()[..end]), "cut after {end} bytes");
        }
        assert!(!is_whole(b"<html>Response></html>"));
    }
}
