//! The owner's guide says what really happens.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use lab_smoke_tests::documents;

/// Each command of the guide's transcripts, with what it prints here and now.
pub fn transcripts() {
    const GUIDE: &str = "docs/OWNER.md";
    let committed = fs::read_to_string(documents::root().join(GUIDE)).expect(GUIDE);
    let temp = tempfile::tempdir().expect("a temporary folder");
    let program = Path::new(env!("CARGO_BIN_EXE_lab-smoke")).parent().expect("a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.display());
    let said = |command: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(temp.path()).env("PATH", &path);
        let output = shell.stdin(Stdio::null()).output().expect("a shell");
        assert!(output.status.success() && output.stderr.is_empty(), "{command}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let (mut real, mut shown) = (String::new(), None);
    for line in committed.lines() {
        match (shown, line) {
            (None, _) => real.extend([line, "\n"]),
            (Some(()), "```") => real.push_str("```\n"),
            (Some(()), line) => {
                if let Some(command) = line.strip_prefix("$ ") {
                    real.extend([line, "\n", &said(command)]);
                }
            }
        }
        shown = match line {
            "```console" => Some(()),
            "```" => None,
            _ => shown,
        };
    }
    documents::assert_current(GUIDE, &real);
}
