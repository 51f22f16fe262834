//! Drives a recovery through signals. All that it does is taking back, so that a first signal has
//! nothing to stop; a second ends it at once, and it can be begun again.

use std::path::Path;

use futures::{Stream, StreamExt as _};
use reports::record::Verdict;
use reports::verdict::{ExitCode, Judgement};

use crate::engine::in_a_command;
use crate::terminal::Terminal;

pub(super) async fn to_its_end(
    running: impl Future<Output = Judgement>,
    signals: &mut (impl Stream<Item = &'static str> + Unpin),
    folder: &Path,
    terminal: &Terminal,
) -> Judgement {
    let mut running = std::pin::pin!(running);
    let folder = in_a_command(folder);
    let mut first = None;
    loop {
        tokio::select! {
            biased;
            Some(name) = signals.next() => {
                if first.replace(name).is_some() {
                    terminal.err(&format!(
                        "{name}: ended at once; to go on: lab-smoke recover {folder}\n"
                    ));
                    return abandoned();
                }
                terminal.err(&format!(
                    "{name}: the recovery goes on, it only takes back what was begun. A second \
                     signal ends it at once and leaves the lab as it then is.\n"
                ));
            }
            judgement = &mut running => return judgement,
        }
    }
}

fn abandoned() -> Judgement {
    Judgement {
        verdict: Verdict::Unknown,
        exit_code: ExitCode::Unknown.number(),
        reasons: vec!["a second signal ended the recovery at once".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;
    use crate::terminal::tests::Kept;

    async fn hearing(
        signals: &[&'static str],
        running: impl Future<Output = Judgement>,
    ) -> (u8, String) {
        let err = Kept::default();
        let terminal = Terminal::new(Box::new(Kept::default()), Box::new(err.clone()));
        let mut signals = stream::iter(signals.to_vec()).chain(stream::pending());
        let judgement = to_its_end(running, &mut signals, Path::new("runs/r1"), &terminal).await;
        (judgement.exit_code, err.text())
    }

    #[tokio::test(start_paused = true)]
    async fn one_signal_leaves_a_recovery_alone_and_a_second_ends_it_with_the_way_on() {
        let recovered = Judgement { exit_code: 130, ..abandoned() };
        let (code, said) = hearing(&["SIGINT"], std::future::ready(recovered)).await;
        assert_eq!(code, 130);
        assert!(said.contains("the recovery goes on"), "{said}");
        let (code, said) = hearing(&["SIGINT", "SIGTERM"], std::future::pending()).await;
        assert_eq!(code, 5);
        assert!(said.contains("lab-smoke recover runs/r1"), "{said}");
    }
}
