//! The answer of one look, cut into what each program said.

use super::Observe;
use super::observe::{QUICK, words};
use super::readings::Unread;
use crate::node::Output;

/// The script of [`Observe::node_state`].
const NODE_STATE: &str = include_str!("node_state.sh");

/// The answer of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The frame's name, such as `routes` or `filters ens5 ingress`.
    pub name: String,
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

const SOURCE: &str = "##source ";
const STATUS: &str = "##status ";
const END: &str = "##end";

impl Frame {
    /// The program's answer, where it ended well.
    ///
    /// # Errors
    /// Where it did not, in its own words.
    pub fn text(&self) -> Result<&str, String> {
        if self.code == 0 { Ok(&self.stdout) } else { Err(self.refusal()) }
    }

    /// The first line that says why.
    pub fn refusal(&self) -> String {
        let said = [&self.stderr, &self.stdout];
        let first = said.iter().flat_map(|text| text.lines()).find(|line| !line.trim().is_empty());
        match first {
            Some(line) => format!("exit code {}: {}", self.code, line.trim()),
            None => format!("exit code {}", self.code),
        }
    }
}

/// The answers of the programs of one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFrames(Vec<Frame>);

impl NodeFrames {
    /// The answer of the program that was asked under this name.
    ///
    /// # Errors
    /// Where it was not asked.
    pub fn named(&self, name: &str) -> Result<&Frame, String> {
        self.0.iter().find(|frame| frame.name == name).ok_or(format!("`{name}` was not asked"))
    }

    /// Those whose name begins so, with the rest of it.
    pub fn beginning<'a>(&'a self, with: &'a str) -> impl Iterator<Item = (&'a str, &'a Frame)> {
        self.0.iter().filter_map(move |frame| Some((frame.name.strip_prefix(with)?, frame)))
    }
}

impl Observe<Result<NodeFrames, Unread>> {
    /// All that the node's kernel does with packets, and who may log in: one answer, in frames. Of
    /// these files their place, size and times.
    pub fn node_state(files: &[String]) -> Self {
        let mut argv = words(&["sudo", "-n", "sh", "-s", "node-state"]);
        argv.extend_from_slice(files);
        let command = Observe::new(argv, QUICK).with_stdin(NODE_STATE.as_bytes().to_vec());
        command.read_as(|output| read_frames(&output).map(NodeFrames).map_err(Unread::NotWhole))
    }
}

/// All frames of an answer that came whole.
fn read_frames(output: &Output) -> Result<Vec<Frame>, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let stderr = text(&output.stderr);
    if output.code != 0 {
        let said = stderr.lines().find(|line| !line.trim().is_empty() && !line.starts_with(SOURCE));
        let said = said.unwrap_or("nothing was said");
        return Err(format!("the look ended with exit code {}: {said}", output.code));
    }
    let mut frames = Vec::new();
    let mut ended = false;
    let mut open: Option<Frame> = None;
    for line in text(&output.stdout).lines() {
        if let Some(name) = line.strip_prefix(SOURCE) {
            if open.is_some() {
                return Err(format!("the answer breaks off before `{name}`"));
            }
            open = Some(Frame { name: name.to_owned(), ..Frame::default() });
        } else if let Some(code) = line.strip_prefix(STATUS) {
            let mut frame = open.take().ok_or("an exit status belongs to no program")?;
            frame.code = code.parse().map_err(|_| format!("`{code}` is no exit status"))?;
            frames.push(frame);
        } else if line == END {
            ended = open.is_none();
        } else if let Some(frame) = &mut open {
            frame.stdout.push_str(line);
            frame.stdout.push('\n');
        }
    }
    if !ended {
        return Err("the answer is not whole".to_owned());
    }
    add_errors(&mut frames, &stderr);
    Ok(frames)
}

/// Both streams name the programs in the same order.
fn add_errors(frames: &mut [Frame], stderr: &str) {
    let mut next = 0;
    let mut current: Option<usize> = None;
    for line in stderr.lines() {
        if let Some(name) = line.strip_prefix(SOURCE) {
            current = frames.iter().skip(next).position(|it| it.name == name).map(|at| at + next);
            next = current.map_or(next, |at| at + 1);
        } else if let Some(frame) = current.and_then(|at| frames.get_mut(at)) {
            frame.stderr.push_str(line);
            frame.stderr.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(stdout: &str, stderr: &str) -> Output {
        Output { code: 0, stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn each_program_has_its_own_words_and_status() {
        let stdout = "\n##source a\n[]\n##status 0\n\n##source b\n\n##status 127\n\n##end\n";
        let stderr = "\n##source a\n\n##source b\nsh: 1: b: not found\n";
        let frames = read_frames(&output(stdout, stderr)).expect("frames");
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0].text().map(str::trim), Ok("[]"));
        assert_eq!(frames[1].text(), Err("exit code 127: sh: 1: b: not found".to_owned()));
    }

    #[test]
    fn the_second_of_a_name_has_the_second_ones_words() {
        let stdout = "##source a\n##status 1\n##source a\n##status 2\n##end\n";
        let stderr = "##source a\nfirst\n##source a\nsecond\n";
        let frames = read_frames(&output(stdout, stderr)).expect("frames");
        let said: Vec<_> = frames.iter().map(Frame::refusal).collect();
        assert_eq!(said, ["exit code 1: first", "exit code 2: second"]);
    }

    #[test]
    fn an_answer_that_breaks_off_is_no_answer() {
        let whole = "\n##source a\n[]\n##status 0\n##end\n";
        assert!(read_frames(&output(whole, "")).is_ok());
        for cut in ["", "##source a\n[]\n", "##source a\n[]\n##status 0\n", "##source a\n##end\n"] {
            assert!(read_frames(&output(cut, "")).is_err(), "{cut:?}");
        }
        assert!(read_frames(&output("##status 0\n##end\n", "")).is_err());
        let failed = Output { code: 1, ..output(whole, "sudo: a password is required\n") };
        assert!(read_frames(&failed).is_err_and(|why| why.contains("a password")));
        let named = "\n##source a\n\nsudo: a password is required\n";
        let failed = Output { code: 1, ..output(whole, named) };
        assert!(read_frames(&failed).is_err_and(|why| why.contains("a password")));
    }

    #[test]
    fn a_look_at_a_node_is_the_script_with_its_files_behind() {
        let look = Observe::node_state(&["/etc/a".to_owned()]);
        let (argv, stdin, _) = look.parts();
        assert_eq!(argv.join(" "), "sudo -n sh -s node-state /etc/a");
        assert_eq!(stdin, NODE_STATE.as_bytes());
        assert!(format!("{look:?}").contains("node-state"));
    }
}
