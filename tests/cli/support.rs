use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::Value;

/// What a run of the binary came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The binary with these arguments, in a folder of its own and without settings from outside.
pub(crate) fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stockade"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("STOCKADE_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs it to its end.
pub(crate) fn run(folder: &Path, args: &[&str]) -> Ran {
    finish(command(folder, args))
}

pub(crate) fn finish(mut command: Command) -> Ran {
    let output = command.output().expect("the binary runs");
    Ran {
        code: output.status.code().expect("it was not killed"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// It failed with this code and said all of this on standard error, and nothing on standard output.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{self:?}");
        words.iter().for_each(|word| assert!(self.err.contains(word), "no {word:?} in {self:?}"));
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A server that runs until it is told to end. One that is dropped is killed.
pub(crate) struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    /// Everything it printed so far.
    pub(crate) said: String,
    pub(crate) url: String,
}

impl Server {
    /// Starts it on a free port and without sign-in, and waits until it says where it listens.
    pub(crate) fn start(folder: &Path, args: &[&str]) -> Self {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0", "--auth", "none"];
        all.extend(args);
        Self::start_as(command(folder, &all))
    }

    /// The same, of a command that says itself where to listen.
    pub(crate) fn start_as(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, lines, said: String::new(), url: String::new() };
        while server.url.is_empty() {
            let start = server.said.len();
            let read = server.lines.read_line(&mut server.said).unwrap();
            assert!(read > 0, "it ended early and said: {}", server.said);
            if let Some(url) = server.said[start..].strip_prefix("listening ") {
                server.url = url.trim().to_owned();
            }
        }
        server
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }

    /// Sends SIGTERM; answers with its exit code and its last words.
    pub(crate) fn terminate(mut self) -> (Option<i32>, String) {
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(kill.expect("there is a kill").success());
        let mut last = String::new();
        self.lines.read_to_string(&mut last).unwrap();
        (self.child.wait().unwrap().code(), last)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Of a server that has ended already both fail, and that is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a file, gzipped when its name ends so.
pub(crate) fn write(path: &Path, text: &str) {
    let file = std::fs::File::create(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap();
    } else {
        let mut file = file;
        file.write_all(text.as_bytes()).unwrap();
    }
}
