//! Debian's chromium shows the page, and axe-core judges it: of runs that ended in each way, and of one
//! that asks. `tests/page/look.mjs` says what is looked at.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Completion, Failed, Trial};

pub fn trials() -> Vec<Trial> {
    vec![Trial::ignorable_test("page::every_state_is_shown_to_everybody", || {
        match find_browser() {
            Ok(modules) => look(&modules),
            Err(reason) if std::env::var("LAB_SMOKE_REQUIRE_FOREIGN").as_deref() == Ok("1") => {
                Err(Failed::from(reason))
            }
            Err(reason) => Ok(Completion::ignored_with(reason)),
        }
    })]
}

/// The folder of npm's packages; they are looked for where `.ci/run` puts them.
fn find_browser() -> Result<PathBuf, String> {
    for (program, package) in [("chromium", "chromium"), ("node", "nodejs")] {
        let found = Command::new(program).arg("--version").stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            return Err(format!(
                "there is no {program} (Debian's package {package}): it was not looked at"
            ));
        }
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    let modules = cache.unwrap_or_default().join("lab-smoke/page/node_modules");
    if modules.join("axe-core").is_dir() && modules.join("puppeteer-core").is_dir() {
        Ok(modules)
    } else {
        Err(format!(
            "there is no axe-core or puppeteer-core in {}: `.ci/run` installs them",
            modules.display()
        ))
    }
}

/// The words after `lab-smoke`, the run's folder, and the exit code.
const STATES: [(&str, &str, i32); 9] = [
    ("run --seed 7 --out pass", "pass", 0),
    ("preflight --seed 7 --out ask", "ask", 3),
    ("run --seed 7 --inject assign-reply-lost --out lost", "lost", 4),
    ("run --seed 7 --inject foreign-holder --out stopped-before", "stopped-before", 4),
    ("run --seed 7 --inject masquerade --out not-restored", "not-restored", 6),
    ("run --seed 7 --out partial -- ping", "partial", 7),
    ("preflight --seed 8 --out closed", "closed", 3),
    ("recover closed", "closed", 0),
    ("run --seed 7 --inject go-missing --out without", "without", 1),
];

fn look(modules: &Path) -> Result<Completion, Failed> {
    let place = tempfile::tempdir()?;
    let mut pages = Vec::new();
    for (words, folder, code) in STATES {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab-smoke"));
        command.args(words.split(' ')).current_dir(place.path()).stdin(Stdio::null());
        let output = command.output()?;
        assert_eq!(output.status.code(), Some(code), "{words}: {output:?}");
        let page = format!("{folder}/report.html");
        if !pages.contains(&page) {
            pages.push(page);
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/page/look.mjs");
    let script = script.canonicalize().unwrap();
    let mut command = Command::new("node");
    command.arg(script).args(&pages).current_dir(place.path()).stdin(Stdio::null());
    let output = command.env("LAB_SMOKE_NODE_MODULES", modules).output()?;
    if output.status.success() {
        return Ok(Completion::Completed);
    }
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Err(Failed::from(said(&output.stdout) + &said(&output.stderr)))
}
