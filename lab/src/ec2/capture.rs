//! Keeps what one call of the AWS SDK really got: the raw body, and how often it was tried.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::FinalizerInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// An interceptor for one call; give it to `customize().interceptor(…)` and look into it after.
#[derive(Clone, Debug, Default)]
pub(super) struct ResponseCapture(Arc<Mutex<Captured>>);

#[derive(Clone, Debug, Default)]
pub(super) struct Captured {
    pub attempts: u32,
    /// The HTTP status of the last attempt that got a response.
    pub status: Option<u16>,
    pub body: Vec<u8>,
}

impl ResponseCapture {
    /// Takes out what was captured and leaves it empty.
    pub fn take(&self) -> Captured {
        match self.0.lock() {
            Ok(mut captured) => std::mem::take(&mut captured),
            Err(poisoned) => std::mem::take(&mut poisoned.into_inner()),
        }
    }
}

#[dyn_dispatch_hint]
impl Intercept for ResponseCapture {
    fn name(&self) -> &'static str {
        "capture"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Ok(mut captured) = self.0.lock() {
            captured.attempts += 1;
            if let Some(response) = context.response() {
                captured.status = Some(response.status().as_u16());
                captured.body = response.body().bytes().unwrap_or_default().to_vec();
            }
        }
        Ok(())
    }
}

/// Whether a body is a whole document: a 200 that ends early parses as success with fewer items.
pub(super) fn is_whole(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    let text = text.trim_end();
    let Some(start) = root_element(text) else { return false };
    text.ends_with(&format!("</{start}>"))
}

fn root_element(text: &str) -> Option<&str> {
    let mut rest = text.trim_start();
    while let Some(after) = rest.strip_prefix("<?") {
        rest = after.split_once("?>")?.1.trim_start();
    }
    let name = rest.strip_prefix('<')?;
    let end = name.find(|c: char| c.is_whitespace() || c == '>' || c == '/')?;
    Some(&name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_ends_early_is_not_whole() {
        let whole = "<?xml version=\"1.0\"?>\n<A xmlns=\"x\"><set><item/></set></A>\n";
        assert!(is_whole(whole.as_bytes()));
        let end = whole.trim_end().len();
        for cut in 0..end {
            assert!(!is_whole(&whole.as_bytes()[..cut]), "cut at {cut}");
        }
    }
}
