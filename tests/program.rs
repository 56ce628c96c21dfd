//! A tiny language for running the program: `Mmfnd::new(["encode", …]).fails().expect_stderr("…")`.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// One run of the program.
pub struct Mmfnd(Command);

impl Mmfnd {
    /// The program with these arguments, in the current directory.
    pub fn new<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mmfnd"));
        command.args(arguments);
        Self(command)
    }

    /// The command itself, for tests that kill it.
    pub fn command(self) -> Command {
        self.0
    }

    /// Runs it and kills it as soon as a file is there.
    ///
    /// # Panics
    /// When it ends before.
    pub fn killed_when_there_is(mut self, file: &Path) {
        let quiet = self.0.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = quiet.spawn().expect("the program starts");
        while !file.exists() {
            let ended = child.try_wait().expect("its status is known");
            assert!(ended.is_none(), "it ended before `{}`", file.display());
        }
        child.kill().expect("it is killed");
        child.wait().expect("it has ended");
    }

    /// Runs it and asserts exit status 0.
    pub fn succeeds(mut self) -> Ran {
        let output = self.0.output().expect("the program starts");
        let ran = Ran::of(&self.0, &output);
        assert!(output.status.success(), "failed: {ran:?}");
        ran
    }

    /// Runs it and asserts exit status 1 (2 would be a usage error).
    pub fn fails(mut self) -> Ran {
        let output = self.0.output().expect("the program starts");
        let ran = Ran::of(&self.0, &output);
        assert_eq!(output.status.code(), Some(1), "{ran:?}");
        ran
    }
}

/// What a run printed.
#[derive(Debug)]
#[expect(
    dead_code,
    reason = "the command is shown by Debug when an assertion fails"
)]
pub struct Ran {
    command: String,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    fn of(command: &Command, output: &Output) -> Self {
        Self {
            command: format!("{command:?}"),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asserts that standard error has `text` in it.
    pub fn expect_stderr(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no `{text}` in {self:?}");
        self
    }

    /// Asserts that standard output has `text` in it.
    pub fn expect_stdout(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no `{text}` in {self:?}");
        self
    }
}
