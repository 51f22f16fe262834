use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::*;

fn output(code: i32, stdout: &str) -> Output {
    Output { code, stdout: stdout.as_bytes().to_vec(), stderr: b"sudo: no".to_vec() }
}

#[test]
fn a_switch_is_armed_where_its_timer_runs_and_its_file_says_when() {
    let seen = |active, left_seconds| Some(SwitchSeen { active, left_seconds });
    for (stdout, expected) in [
        ("active\n100\n820\n", seen(true, Some(720))),
        ("active\n900\n820\n", seen(true, Some(0))),
        ("active\n100\nnone\n", seen(true, None)),
        ("inactive\n100\nnone\n", seen(false, None)),
        ("", None),
    ] {
        assert_eq!(SwitchSeen::read(&output(1, stdout)).ok(), expected, "{stdout}");
    }
}

/// A folder with a `systemctl` that leaves a word when it is asked to power off.
fn stub(folder: &Path) {
    let script = format!("#!/bin/sh\necho \"$@\" >> {}/said\n", folder.display());
    let path = folder.join("systemctl");
    fs::write(&path, script).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
}

/// The service's script, run by this machine's shell against its own uptime.
#[test]
fn the_check_powers_off_at_the_uptime_and_where_nothing_says_when() {
    let uptime = fs::read_to_string("/proc/uptime").expect("an uptime");
    let up: u64 = uptime.split('.').next().expect("seconds").parse().expect("a number");
    for (what, text, off) in [
        ("later", Some((up + 1000).to_string()), false),
        ("long ago", Some(up.saturating_sub(1).to_string()), true),
        ("no file", None, true),
        ("an empty file", Some(String::new()), true),
        ("no number", Some("soon".to_owned()), true),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        stub(folder.path());
        let file = folder.path().join("stop at");
        if let Some(text) = text {
            fs::write(&file, text).expect("written");
        }
        let status = Command::new("/bin/sh")
            .args(["-c", CHECK_SWITCH, "sh"])
            .arg(&file)
            .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
            .output()
            .expect("a shell")
            .status;
        let said = fs::read_to_string(folder.path().join("said")).unwrap_or_default();
        assert_eq!(said == "poweroff\n", off, "{what}: {said:?}");
        assert!(status.success(), "{what}");
    }
}

/// systemd puts `${…}`, `$$` and specifiers of its own into a command; there are none in it.
#[test]
fn systemd_changes_nothing_in_the_services_words() {
    assert!(!CHECK_SWITCH.contains("${") && !CHECK_SWITCH.contains("$$"));
    assert!(!CHECK_SWITCH.contains('%') && !CHECK_SWITCH.starts_with('$'));
}

/// The units as `systemd-run` makes them of the words that are sent.
#[test]
fn systemd_takes_the_units() {
    let Ok(found) = Command::new("systemd-analyze").arg("--version").output() else {
        return;
    };
    assert!(found.status.success());
    let folder = tempfile::tempdir().expect("a folder");
    let quoted = CHECK_SWITCH.replace('\\', "\\\\").replace('"', "\\\"");
    let service = format!(
        "[Unit]\nDescription=lab-smoke\n[Service]\nExecStart=/bin/sh -c \"{quoted}\" sh {}\n",
        SWITCH.path
    );
    let timer = "[Unit]\nDescription=lab-smoke\n[Timer]\nOnActiveSec=30\nOnUnitActiveSec=30\n\
                 AccuracySec=1s\n";
    for (ending, text) in [("service", service.as_str()), ("timer", timer)] {
        fs::write(folder.path().join(format!("{}.{ending}", SWITCH.name)), text).expect("written");
    }
    for ending in ["service", "timer"] {
        let unit = folder.path().join(format!("{}.{ending}", SWITCH.name));
        let said = Command::new("systemd-analyze").arg("verify").arg(&unit).output();
        let said = said.expect("it runs");
        let words = String::from_utf8_lossy(&said.stderr);
        let about: Vec<_> = words.lines().filter(|line| line.contains(SWITCH.name)).collect();
        assert!(about.is_empty(), "{ending}: {words}");
    }
}

/// The script arrives at the service as one word, through ssh's shell and the script that arms.
#[test]
fn the_check_arrives_at_the_service_as_one_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("stop-at");
    let unit = SwitchUnit { name: "lab-smoke-test", path: "unused" };
    let action = Action::arm_switch("i-1", &unit, Duration::from_mins(12), Duration::from_secs(30));
    let (argv, _, _) = action.parts();
    let mut argv: Vec<String> = argv.to_vec();
    assert_eq!(argv[..4], ["sudo", "-n", "sh", "-c"]);
    argv.drain(..2);
    let place = argv.iter().position(|word| word == "unused").expect("the path");
    argv[place] = at.display().to_string();
    // curl is the metadata service, systemd-run says what it gets, and the timer is active then.
    for (name, body) in [
        ("curl", "case $* in *PUT*) echo token ;; *) echo i-1 ;; esac"),
        ("systemd-run", "for word; do printf '%s\\n' \"<$word>\"; done > \"$STUB/run\""),
        ("systemctl", "test -e \"$STUB/run\""),
        ("mkdir", ":"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    }
    let line = argv.iter().map(|word| crate::quote_for_shell(word)).collect::<Vec<_>>().join(" ");
    let said = Command::new("/bin/sh")
        .args(["-c", &line])
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
        .env("STUB", folder.path())
        .output()
        .expect("a shell");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let words = fs::read_to_string(folder.path().join("run")).expect("what it got");
    let expected = [
        "--quiet",
        "--collect",
        "--unit=lab-smoke-test",
        "--on-active=30",
        "--on-unit-active=30",
        "--timer-property=AccuracySec=1s",
        "/bin/sh",
        "-c",
        CHECK_SWITCH,
        "sh",
        &at.display().to_string(),
    ];
    let expected = format!("<{}>\n", expected.join(">\n<"));
    assert_eq!(words, expected);
    let off: u64 = fs::read_to_string(&at).expect("a file").trim().parse().expect("a number");
    let stdout = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(stdout.ends_with(&format!("{off}\n")), "{stdout}");
}

/// Another machine is not armed.
#[test]
fn a_machine_that_says_that_it_is_another_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let action =
        Action::arm_switch("i-1", &SWITCH, Duration::from_mins(12), Duration::from_secs(30));
    let (argv, _, _) = action.parts();
    let curl = folder.path().join("curl");
    fs::write(&curl, "#!/bin/sh\ncase $* in *PUT*) echo token ;; *) echo i-2 ;; esac\n")
        .expect("written");
    fs::set_permissions(&curl, fs::Permissions::from_mode(0o755)).expect("executable");
    let said = Command::new("/bin/sh")
        .args(&argv[3..])
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
        .output()
        .expect("a shell");
    let words = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(3), "{words}");
    assert!(words.contains("says that it is i-2, and not i-1"), "{words}");
}
