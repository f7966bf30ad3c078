//! The workspace's Rust files, with code, words and tests told apart.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The folders of a crate that hold Rust files.
const FOLDERS: [&str; 4] = ["src", "tests", "benches", "examples"];

/// One Rust file.
pub(crate) struct Source {
    /// From the workspace's root, with `/`.
    pub(crate) path: String,
    pub(crate) lines: Vec<Line>,
}

/// One line of a file.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Line {
    /// Without comments, and with a quote for every letter of a string or character: what they say is not code.
    pub(crate) code: String,
    /// What the comments on it say, with their slashes.
    pub(crate) comment: String,
    /// Whether it is compiled for tests only.
    pub(crate) is_test: bool,
}

/// Every Rust file of these crates.
pub(crate) fn read_all(root: &Path, crates: &[PathBuf]) -> Vec<Source> {
    let mut files = Vec::new();
    for folder in crates.iter().flat_map(|member| FOLDERS.map(|folder| member.join(folder))) {
        if folder.is_dir() {
            walk(&folder, &mut files);
        }
    }
    files.sort();
    let mut sources: Vec<Source> = files.iter().map(|file| read(root, file)).collect();
    let tests: BTreeSet<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        mark_tests(source, &tests);
    }
    sources
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("a folder of the workspace").path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn read(root: &Path, file: &Path) -> Source {
    let text = fs::read_to_string(file).expect("a Rust file is UTF-8");
    let path = file.strip_prefix(root).expect("a file of the workspace");
    let path = path.to_str().expect("a path of plain letters").replace('\\', "/");
    Source { path, lines: split(&text) }
}

impl Source {
    /// The folder of the modules that it declares.
    fn folder(&self) -> String {
        let (folder, file) = self.path.rsplit_once('/').expect("no Rust file in the root");
        match file {
            "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
            _ => format!("{folder}/{}", file.trim_end_matches(".rs")),
        }
    }

    /// The doc comment and the attributes of the item at a line.
    pub(crate) fn doc_above(&self, item: usize) -> &[Line] {
        let ends = |line: &Line| {
            let code = line.code.trim_end();
            code.ends_with(['{', '}', ';']) || (code.is_empty() && line.comment.is_empty())
        };
        let above = self.lines[..item].iter().rposition(ends);
        &self.lines[above.map_or(0, |end| end + 1)..item]
    }

    /// The doc comment and the attributes with which a module begins that it declares.
    pub(crate) fn module_doc<'a>(&self, name: &str, sources: &'a [Self]) -> &'a [Line] {
        let path = format!("{}/{name}", self.folder());
        let paths = [format!("{path}.rs"), format!("{path}/mod.rs")];
        let lines = sources.iter().find(|source| paths.contains(&source.path));
        let lines = lines.map_or(&[][..], |source| &source.lines);
        let is_code = |line: &Line| !line.code.is_empty() && !line.code.starts_with("#![");
        &lines[..lines.iter().position(is_code).unwrap_or(lines.len())]
    }
}

/// The kind and the name of the item that a line makes public.
pub(crate) fn public_item(line: &Line) -> Option<(&str, &str)> {
    let code = line.code.trim().strip_prefix("pub ")?;
    let words = code.split(|letter: char| !letter.is_alphanumeric() && !"_$".contains(letter));
    let mut words = words.skip_while(|word| ["async", "unsafe"].contains(word));
    let kind = words.next()?;
    let kinds = ["fn", "struct", "enum", "trait", "type", "mod", "const", "static"];
    // A function may be const.
    kinds.contains(&kind).then(|| words.find(|word| *word != "fn"))?.map(|name| (kind, name))
}

/// Whether a line of a doc comment begins an example, or takes one in.
pub(crate) fn is_example(line: &Line) -> bool {
    line.code.contains("doc = include_str!(") || line.comment.contains("```")
}

/// The modules in files of their own that a file compiles for tests only, as paths without `.rs`.
fn test_modules(source: &Source) -> Vec<String> {
    let folder = source.folder();
    let after_test = source.lines.windows(2).filter(|pair| is_cfg_test(&pair[0]));
    after_test.filter_map(|pair| Some(format!("{folder}/{}", module(&pair[1], ";")?))).collect()
}

fn is_cfg_test(line: &Line) -> bool {
    line.code.trim() == "#[cfg(test)]"
}

/// The name of the module that a line declares, if what follows the name is `end`.
fn module<'a>(line: &'a Line, end: &str) -> Option<&'a str> {
    let (before, name) = line.code.trim().strip_suffix(end)?.trim_end().rsplit_once(' ')?;
    before.ends_with("mod").then_some(name)
}

/// Test modules inside a file stand at its end, so that everything from the first one on is a test.
fn mark_tests(source: &mut Source, tests: &BTreeSet<String>) {
    let path = source.path.trim_end_matches(".rs");
    let below = |test: &String| path.strip_prefix(test.as_str());
    let whole = path.split('/').any(|folder| folder == "tests")
        || tests.iter().filter_map(below).any(|rest| rest.is_empty() || rest.starts_with('/'));
    let inline = |pair: &[Line]| is_cfg_test(&pair[0]) && module(&pair[1], "{").is_some();
    let first = match whole {
        true => Some(0),
        false => source.lines.windows(2).position(inline),
    };
    let first = first.unwrap_or(source.lines.len());
    source.lines[first..].iter_mut().for_each(|line| line.is_test = true);
}

/// Splits a file into lines of code and comments.
///
/// It knows strings (raw ones too), characters and nested comments: all that can hide a quote or a slash.
pub(crate) fn split(text: &str) -> Vec<Line> {
    let mut lines = vec![Line::default()];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (len, kind) = token(rest, first);
        for letter in rest[..len].chars() {
            let line = lines.last_mut().expect("there is a first one");
            match (letter, kind) {
                ('\n', _) => lines.push(Line::default()),
                (_, Kind::Code) => line.code.push(letter),
                (_, Kind::Comment) => line.comment.push(letter),
                (_, Kind::Text) => line.code.push('"'),
            }
        }
        rest = &rest[len..];
    }
    if text.ends_with('\n') {
        lines.pop();
    }
    lines
}

#[derive(Clone, Copy)]
enum Kind {
    Code,
    Comment,
    Text,
}

/// How long the next token is, in bytes, and what it is. Code comes letter by letter.
fn token(rest: &str, first: char) -> (usize, Kind) {
    let until = |end: &str, from: usize| rest[from..].find(end).map(|at| from + at);
    match first {
        '/' if rest.starts_with("//") => (until("\n", 0).unwrap_or(rest.len()), Kind::Comment),
        '/' if rest.starts_with("/*") => (block_comment(rest), Kind::Comment),
        '"' => (quoted(rest, '"'), Kind::Text),
        // A character, not a lifetime: escaped, or one letter and a quote.
        '\'' if rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'') => {
            (quoted(rest, '\''), Kind::Text)
        }
        'r' => {
            let hashes = rest[1..].chars().take_while(|letter| *letter == '#').count();
            if !rest[1 + hashes..].starts_with('"') {
                return (1, Kind::Code);
            }
            let end = format!("\"{}", "#".repeat(hashes));
            let len = until(&end, hashes + 2).map_or(rest.len(), |at| at + end.len());
            (len, Kind::Text)
        }
        _ => (first.len_utf8(), Kind::Code),
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let step = match &rest.as_bytes()[at..] {
            [] => return rest.len(),
            [b'/', b'*', ..] => 1,
            [b'*', b'/', ..] => -1,
            _ => {
                at += 1;
                continue;
            }
        };
        (depth, at) = (depth + step, at + 2);
        if depth == 0 {
            return at;
        }
    }
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return at + letter.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}
