//! The program Tesseract: whether it is there with the languages that are wanted, and what it reads on a page.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::error::OcrError;
use super::{page, words};

/// Sparse text, in no order: what photographs have. The other modes look for columns and find none.
const LAYOUT: [&str; 2] = ["--psm", "11"];

/// Counts up when pages, arguments or the choice of words change, so that cached texts are not taken for new ones.
const REVISION: u32 = 1;

/// The longest that one picture may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Tesseract with the languages that are wanted; it was tried out.
#[derive(Debug)]
pub(super) struct Tesseract {
    program: PathBuf,
    languages: String,
    version: String,
    limit: Duration,
}

/// The text of a picture, or why this picture cannot be read.
pub(super) type Reading = Result<String, String>;

impl Tesseract {
    /// Finds the program (by name on `PATH`, or by path) and makes sure that it can read these languages.
    pub(super) fn find(program: &Path, languages: &str) -> Result<Self, OcrError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_name = |name: &str| !name.is_empty() && name.chars().all(plain);
        if !languages.split('+').all(is_name) {
            return Err(OcrError::Name(languages.to_owned()));
        }
        let mut tesseract = Self {
            program: program.to_owned(),
            languages: languages.to_owned(),
            version: String::new(),
            limit: LIMIT,
        };
        tesseract.version = tesseract.ask_version()?;
        tesseract.check_languages()?;
        tesseract.try_out()?;
        Ok(tesseract)
    }

    /// Everything but the picture that decides what is read.
    pub(super) fn recipe(&self) -> String {
        let Self {
            languages, version, ..
        } = self;
        format!("tesseract {version}, {languages}, {REVISION}")
    }

    /// Reads the pages of a TIFF file. An error is one of the program; what is wrong with the picture stands in the
    /// reading.
    pub(super) fn read(&self, pages: &[u8]) -> Result<Reading, OcrError> {
        let ran = self.run(pages).map_err(|source| self.not_started(source))?;
        if ran.took_too_long {
            let seconds = self.limit.as_secs();
            return Ok(Err(format!("Tesseract took more than {seconds} s")));
        }
        if !ran.status.success() {
            let said = last_line(&ran.stderr);
            return Ok(Err(format!("Tesseract failed ({}): {said}", ran.status)));
        }
        let table = String::from_utf8_lossy(&ran.stdout);
        let text = words::text_of(&table);
        Ok(text.ok_or_else(|| "Tesseract gave no table of words".to_owned()))
    }

    fn run(&self, pages: &[u8]) -> io::Result<Ended> {
        let child = Command::new(&self.program)
            .args(["stdin", "stdout", "-l", &self.languages])
            .args(LAYOUT)
            .args(["-c", "tessedit_create_tsv=1"])
            // Pictures are read in parallel; threads inside one reading only get in the way of each other.
            .env("OMP_THREAD_LIMIT", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        converse(child, pages, self.limit)
    }

    fn ask_version(&self) -> Result<String, OcrError> {
        let said = self.ask("--version")?;
        let first = said.lines().next().unwrap_or_default();
        match first.strip_prefix("tesseract ") {
            Some(version) if !version.trim().is_empty() => Ok(version.trim().to_owned()),
            _ => Err(self.unusable(format!("`--version` says `{first}`"))),
        }
    }

    fn check_languages(&self) -> Result<(), OcrError> {
        let said = self.ask("--list-langs")?;
        let found: Vec<&str> = said.lines().skip(1).map(str::trim).collect();
        match self.languages.split('+').find(|name| !found.contains(name)) {
            None => Ok(()),
            Some(language) => Err(OcrError::Language {
                language: language.to_owned(),
                found: found.join("`, `"),
                install: install(&[language]),
            }),
        }
    }

    /// A blank page, so that a broken installation is one error and not a reject for each picture.
    fn try_out(&self) -> Result<(), OcrError> {
        match self.read(&page::blank())? {
            Ok(_) => Ok(()),
            Err(problem) => Err(self.unusable(problem)),
        }
    }

    /// What the program says about itself; some versions say it on standard error.
    fn ask(&self, argument: &str) -> Result<String, OcrError> {
        let output = Command::new(&self.program)
            .arg(argument)
            .stdin(Stdio::null())
            .output()
            .map_err(|source| self.not_started(source))?;
        if !output.status.success() {
            let said = last_line(&output.stderr);
            let problem = format!("`{argument}` failed ({}): {said}", output.status);
            return Err(self.unusable(problem));
        }
        let said = match output.stdout.is_empty() {
            true => output.stderr,
            false => output.stdout,
        };
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    fn not_started(&self, source: io::Error) -> OcrError {
        match source.kind() {
            io::ErrorKind::NotFound => OcrError::Absent {
                program: self.program.clone(),
                install: self.install(),
            },
            _ => OcrError::Unusable {
                program: self.program.clone(),
                problem: "it cannot be started".into(),
                install: self.install(),
                source: Some(source.into()),
            },
        }
    }

    fn unusable(&self, problem: String) -> OcrError {
        OcrError::Unusable {
            program: self.program.clone(),
            problem,
            install: self.install(),
            source: None,
        }
    }

    fn install(&self) -> String {
        install(&self.languages.split('+').collect::<Vec<_>>())
    }
}

/// The line that installs Tesseract and these languages on Debian and Ubuntu, whose main package brings English.
pub(super) fn install(languages: &[&str]) -> String {
    let package = |name: &&&str| !["eng", "osd"].contains(*name);
    let packages = languages.iter().filter(package);
    let packages = packages.map(|name| format!(" tesseract-ocr-{}", name.replace('_', "-")));
    let packages: String = packages.collect();
    format!("`apt-get install tesseract-ocr{packages}`")
}

/// How a program ended, and what it said.
struct Ended {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    took_too_long: bool,
}

/// Gives a program its input and takes what it says, both at once; kills it after `limit`.
fn converse(mut child: Child, input: &[u8], limit: Duration) -> io::Result<Ended> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let piped = "the three are piped";
    let (mut stdin, stdout) = (stdin.expect(piped), stdout.expect(piped));
    let stderr = stderr.expect(piped);
    thread::scope(|scope| {
        // A program that ends without reading everything says why in its exit status.
        scope.spawn(move || drop(stdin.write_all(input)));
        let said = scope.spawn(move || read_all(stderr));
        let (done, waiting) = mpsc::channel();
        let told = scope.spawn(move || {
            let told = read_all(stdout);
            drop(done);
            told
        });
        let ended: Result<(), _> = waiting.recv_timeout(limit);
        let took_too_long = ended == Err(mpsc::RecvTimeoutError::Timeout);
        if took_too_long {
            child.kill()?;
        }
        let status = child.wait()?;
        let join = |thread: thread::ScopedJoinHandle<'_, io::Result<Vec<u8>>>| {
            let outcome = thread.join();
            outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        Ok(Ended {
            status,
            stdout: join(told)?,
            stderr: join(said)?,
            took_too_long,
        })
    })
}

fn read_all(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn last_line(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    last.unwrap_or("it says nothing").trim().to_owned()
}

#[cfg(test)]
#[cfg(unix)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::fake;
    use super::*;

    #[test]
    fn an_absent_program_is_an_error_with_the_line_that_installs_it() {
        let said = Tesseract::find(Path::new("no-such-tesseract"), "chi_sim+eng");
        let said = said.unwrap_err().to_string();
        assert_eq!(
            said,
            "there is no program `no-such-tesseract`; install it: `apt-get install tesseract-ocr tesseract-ocr-chi-sim`"
        );
    }

    #[test]
    fn an_absent_language_is_an_error_with_the_line_that_installs_it() {
        let folder = tempfile::tempdir().unwrap();
        let program = fake(folder.path(), "cat > /dev/null; cat \"$TABLE\"");
        let said = Tesseract::find(&program, "eng+chi_tra").unwrap_err();
        let said = said.to_string();
        assert!(said.contains("no language `chi_tra`, only `"), "{said}");
        assert!(
            said.contains("`apt-get install tesseract-ocr tesseract-ocr-chi-tra`"),
            "{said}"
        );
        for wrong in ["", "eng+", "en g", "../eng"] {
            let said = Tesseract::find(&program, wrong).unwrap_err().to_string();
            assert!(said.contains("names no languages"), "{said}");
        }
    }

    #[test]
    fn a_program_that_cannot_read_a_blank_page_is_one_error_before_the_first_picture() {
        let folder = tempfile::tempdir().unwrap();
        let program = fake(
            folder.path(),
            "echo 'Error opening data file eng.traineddata' >&2; exit 1",
        );
        let said = Tesseract::find(&program, "eng").unwrap_err().to_string();
        assert!(
            said.contains("Error opening data file eng.traineddata"),
            "{said}"
        );
        assert!(said.contains("apt-get install tesseract-ocr"), "{said}");
    }

    #[test]
    fn a_page_that_takes_too_long_ends_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let table = "level\tpage_num\t";
        let program = fake(folder.path(), &format!("cat > /dev/null; echo '{table}'"));
        let mut tesseract = Tesseract::find(&program, "eng").unwrap();
        fake(folder.path(), "exec sleep 60");
        tesseract.limit = Duration::from_millis(200);
        let reading = tesseract.read(&page::blank()).unwrap();
        assert!(reading.unwrap_err().contains("took more than"));
    }
}
