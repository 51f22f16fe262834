//! Serves the mock lab's cloud to other programs.

use futures::StreamExt;
use lab_mock::serve::ServeOptions;
use reports::verdict::ExitCode;

use super::refuse;
use crate::labs::{self, MockOptions};
use crate::signals;
use crate::terminal::Terminal;

/// The same ids at every start, so that what was pasted once stays good.
const SEED: u64 = 1;

pub fn serve(serve: ServeOptions, terminal: &Terminal) -> u8 {
    let served = labs::real_time()
        .map_err(labs::ServeError::from)
        .and_then(|runtime| runtime.block_on(until_a_signal(serve, terminal)));
    match served {
        Ok(()) => ExitCode::Pass.number(),
        Err(error) => refuse(ExitCode::Unavailable, error, terminal),
    }
}

async fn until_a_signal(serve: ServeOptions, terminal: &Terminal) -> Result<(), labs::ServeError> {
    let mut signals = signals::listen()?;
    let options = MockOptions { seed: SEED, faults: Vec::new(), world_file: None };
    let served = labs::serve_mock(&options, serve).await?;
    for (name, value) in &served.exports {
        terminal.out_as_it_is(&format!("export {name}={value}\n"));
    }
    terminal.err("serving until Ctrl-C\n");
    signals.next().await;
    Ok(served.stop().await?)
}
