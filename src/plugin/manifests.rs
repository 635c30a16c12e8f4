//! Documents from files and from standard input: YAML or JSON, several in one, lists of them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Number, Value};
use serde_saphyr::Spanned;

use super::strict::Strict;
use crate::api::{GROUP, ScheduleStatus};
use crate::time::Slot;

/// No manifest is this long: the API server takes 3 MiB.
const MAX_BYTES: u64 = 64 << 20;
/// The name of standard input.
const STDIN: &str = "-";
const KIND: &str = "Schedule";
const RUN_KIND: &str = "ScheduleRun";

/// One object, and where it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The file, and the line it begins at where that is known; empty for what a cluster holds.
    pub place: String,
    /// The object, without fields that are null: the API server drops those, too.
    pub object: Value,
}

/// What was found in all inputs.
#[derive(Debug, Default)]
pub struct Manifests {
    /// Schedules, in their order.
    pub schedules: Vec<Document>,
    /// ScheduleRuns, in their order.
    pub runs: Vec<Document>,
    /// What could not be read, in sentences.
    pub unreadable: Vec<String>,
    /// The kinds of other objects.
    others: BTreeSet<String>,
}

impl Manifests {
    /// As [`Self::read`]; nothing, if nothing is asked for.
    pub fn read_if_any(names: &[String], stdin: &mut dyn Read) -> Self {
        if names.is_empty() { Self::default() } else { Self::read(names, stdin) }
    }

    /// Reads files, folders and standard input (`-`), in which there are to be Schedules.
    pub fn read(names: &[String], stdin: &mut dyn Read) -> Self {
        Self::read_where(names, stdin, |all| !all.schedules.is_empty())
    }

    /// Reads files, folders and standard input (`-`), in which there is to be something of ours.
    pub fn read_all(names: &[String], stdin: &mut dyn Read) -> Self {
        Self::read_where(names, stdin, |all| !all.schedules.is_empty() || !all.runs.is_empty())
    }

    fn read_where(names: &[String], stdin: &mut dyn Read, is_enough: impl Fn(&Self) -> bool) -> Self {
        let mut all = Self::default();
        for name in names {
            if name == STDIN {
                all.add_input("standard input", stdin);
                continue;
            }
            match files(Path::new(name)) {
                Ok(files) => files.iter().for_each(|file| all.add_file(file)),
                Err(error) => all.unreadable.push(format!("failed to read {name}: {error}")),
            }
        }
        if !is_enough(&all) && all.unreadable.is_empty() {
            all.unreadable.push(all.nothing(names));
        }
        all
    }

    fn add_file(&mut self, file: &Path) {
        match fs::File::open(file) {
            Ok(mut open) => self.add_input(&file.display().to_string(), &mut open),
            Err(error) => self.unreadable.push(format!("failed to read {}: {error}", file.display())),
        }
    }

    fn add_input(&mut self, name: &str, input: &mut dyn Read) {
        let mut bytes = Vec::new();
        if let Err(error) = input.take(MAX_BYTES + 1).read_to_end(&mut bytes) {
            self.unreadable.push(format!("failed to read {name}: {error}"));
        } else if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BYTES {
            self.unreadable.push(format!("{name} is longer than {} MiB", MAX_BYTES >> 20));
        } else {
            match String::from_utf8(bytes) {
                Ok(text) => self.add_text(name, text.trim_start_matches('\u{feff}')),
                Err(_) => self.unreadable.push(format!("{name} is neither YAML nor JSON: it is no text in UTF-8")),
            }
        }
    }

    fn add_text(&mut self, name: &str, text: &str) {
        // A text that begins like JSON may be YAML nevertheless.
        let json = text.trim_start().starts_with('{').then(|| from_json(name, text));
        let (documents, errors) = match json {
            Some(Ok(documents)) => (documents, Vec::new()),
            Some(Err(error)) => match from_yaml(name, text) {
                (documents, errors) if errors.is_empty() => (documents, errors),
                _ => (Vec::new(), vec![error]),
            },
            None => from_yaml(name, text),
        };
        documents.into_iter().for_each(|document| self.add(document));
        self.unreadable.extend(errors);
    }

    fn add(&mut self, document: Document) {
        let Document { place, mut object } = document;
        let Some(kind) = object["kind"].as_str().map(str::to_owned) else {
            let found = if object.is_object() { "an object without a kind" } else { "no Kubernetes object" };
            let expected = "expected apiVersion: punctual.dev/v1alpha1 and kind: Schedule";
            self.unreadable.push(format!("{place} is {found}; {expected}"));
            return;
        };
        if kind.ends_with("List") && object["items"].is_array() {
            for (index, object) in object["items"].as_array_mut().into_iter().flatten().enumerate() {
                self.add(Document { place: format!("{place}, item {}", index + 1), object: object.take() });
            }
            return;
        }
        let version = object["apiVersion"].as_str();
        let is_ours = version.is_none_or(|it| it.split('/').next() == Some(GROUP));
        if kind != KIND || !is_ours {
            self.others.insert(format!("{kind} ({})", version.unwrap_or("no apiVersion")));
        }
        match kind.as_str() {
            KIND if is_ours => self.schedules.push(Document { place, object }),
            RUN_KIND if is_ours => self.runs.push(Document { place, object }),
            _ => {}
        }
    }

    fn nothing(&self, names: &[String]) -> String {
        let names = names.iter().map(|it| if it == STDIN { "standard input" } else { it.as_str() });
        let names = names.collect::<Vec<_>>().join(", ");
        match self.others.len() {
            0 => format!("{names}: nothing in it; expected a Schedule (apiVersion: punctual.dev/v1alpha1)"),
            _ => {
                let others = self.others.iter().cloned().collect::<Vec<_>>().join(", ");
                format!("{names}: no Schedule (apiVersion: punctual.dev/v1alpha1) among them, only {others}")
            }
        }
    }
}

impl Document {
    /// Where it is, and what it is called.
    #[must_use]
    pub fn title(&self) -> String {
        let place = if self.place.is_empty() { String::new() } else { format!("{}: ", self.place) };
        match (self.namespace(), self.name()) {
            (_, "") => self.place.clone(),
            (Some(namespace), name) => format!("{place}{namespace}/{name}"),
            (None, name) => format!("{place}{name}"),
        }
    }

    /// Its name; empty if it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// The namespace it says it belongs to.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.object["metadata"]["namespace"].as_str().filter(|it| !it.is_empty())
    }

    /// When it was created, if it came from a cluster.
    #[must_use]
    pub fn creation(&self) -> Option<Slot> {
        let text = self.object["metadata"]["creationTimestamp"].as_str()?;
        text.parse::<Timestamp>().ok().map(Slot::floor)
    }

    /// What an operator has recorded of it; what was recorded of another object of this name counts
    /// for nothing.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn status(&self) -> serde_json::Result<Option<ScheduleStatus>> {
        let status: Option<ScheduleStatus> = serde_json::from_value(self.object["status"].clone())?;
        let uid = self.object["metadata"]["uid"].as_str();
        Ok(status.filter(|it| it.uid.is_some() && it.uid.as_deref() == uid))
    }
}

/// The file itself, or those of a folder that look like manifests.
fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let files = fs::read_dir(path)?.map(|it| it.map(|it| it.path())).collect::<std::io::Result<Vec<_>>>()?;
    let is_manifest = |file: &PathBuf| {
        let extension = file.extension().and_then(|it| it.to_str());
        matches!(extension, Some("yaml" | "yml" | "json")) && file.is_file()
    };
    let mut files: Vec<PathBuf> = files.into_iter().filter(is_manifest).collect();
    files.sort();
    Ok(files)
}

fn from_json(name: &str, text: &str) -> Result<Vec<Document>, String> {
    let values = serde_json::Deserializer::from_str(text).into_iter::<Strict>();
    let documents = values.map(|value| match value {
        Ok(Strict(object)) => Ok(Document { place: name.to_owned(), object: tidy(object) }),
        Err(error) => Err(format!("{name} cannot be read as JSON: {error}{}", advice(text))),
    });
    documents.collect()
}

/// All documents that can be read, and what keeps the others from it.
fn from_yaml(name: &str, text: &str) -> (Vec<Document>, Vec<String>) {
    let (mut documents, mut errors) = (Vec::new(), Vec::new());
    let mut input = text.as_bytes();
    let options = serde_saphyr::options! { with_snippet: false };
    for read in serde_saphyr::read_with_options::<_, Spanned<Strict>>(&mut input, options) {
        match read {
            Ok(Spanned { value: Strict(Value::Null), .. }) => {}
            Ok(Spanned { value: Strict(object), defined, .. }) => {
                documents.push(Document { place: format!("{name}:{}", defined.line()), object: tidy(object) });
            }
            Err(error) => errors.push(format!("{name} cannot be read as YAML: {}{}", said(&error), advice(text))),
        }
    }
    (documents, errors)
}

fn said(error: &serde_saphyr::Error) -> String {
    match error {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), location } => {
            format!("{key} is given twice, the second time at line {}, column {}", location.line(), location.column())
        }
        other => other.to_string(),
    }
}

/// What to do about a file that is not meant to be read as it is.
fn advice(text: &str) -> &'static str {
    if text.contains("{{") { "; if it is a template, render it first: helm template … | … -f -" } else { "" }
}

/// The object as the API server takes it: without fields that are null, and whole numbers as such.
pub fn tidy(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            map.into_iter().filter(|(_, it)| !it.is_null()).map(|(name, it)| (name, tidy(it))).collect()
        }
        Value::Array(list) => list.into_iter().map(tidy).collect(),
        Value::Number(number) => Value::Number(as_whole(&number).unwrap_or(number)),
        other => other,
    }
}

fn as_whole(number: &Number) -> Option<Number> {
    /// Up to here every whole number is one in floating point, too.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64().filter(|it| number.is_f64() && it.fract() == 0.0 && it.abs() < EXACT)?;
    format!("{float:.0}").parse::<i64>().ok().map(Number::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Manifests;

    const SCHEDULE: &str = "apiVersion: punctual.dev/v1alpha1\nkind: Schedule\nmetadata: {name: a}\n";

    fn read(text: &str) -> Manifests {
        Manifests::read(&["-".to_owned()], &mut text.as_bytes())
    }

    fn unreadable(text: &str) -> String {
        let read = read(text);
        assert!(read.schedules.is_empty(), "{:?}", read.schedules);
        read.unreadable.join("\n")
    }

    #[test]
    fn several_documents_each_know_their_line_and_other_kinds_are_skipped() {
        let read = read(&format!("# a comment\n---\n{SCHEDULE}---\nkind: Job\n---\n---\n{SCHEDULE}"));
        let places: Vec<&str> = read.schedules.iter().map(|it| it.place.as_str()).collect();
        assert_eq!(places, ["standard input:3", "standard input:10"]);
        assert_eq!(read.unreadable, Vec::<String>::new());
    }

    #[test]
    fn json_lists_carriage_returns_and_a_byte_order_mark_are_read() {
        let item = r#"{"apiVersion":"punctual.dev/v1alpha1","kind":"Schedule","metadata":{"name":"a"}}"#;
        let list = format!(r#"{{"apiVersion":"v1","kind":"List","items":[{item},{item}]}}"#);
        assert_eq!(read(&list).schedules.len(), 2);
        assert_eq!(read(&format!("{item}\n{item}")).schedules.len(), 2);
        assert_eq!(read(&format!("\u{feff}{}", SCHEDULE.replace('\n', "\r\n"))).schedules.len(), 1);
    }

    #[test]
    fn null_fields_are_dropped_and_whole_numbers_are_whole() {
        let read = read(&format!("{SCHEDULE}spec: {{a: null, b: [null], c: 2.0, d: 2.5}}"));
        assert_eq!(read.schedules[0].object["spec"], json!({"b": [null], "c": 2, "d": 2.5}));
    }

    #[test]
    fn what_cannot_be_read_says_where_and_leaves_the_other_documents_alone() {
        let twice = read(&format!("{SCHEDULE}kind: Schedule\n---\n{SCHEDULE}"));
        assert_eq!(twice.schedules.len(), 1);
        assert!(twice.unreadable[0].contains("kind is given twice"), "{:?}", twice.unreadable);
        assert!(twice.unreadable[0].contains("line 4"), "{:?}", twice.unreadable);
        let twice = unreadable(r#"{"kind": "Schedule", "kind": "Schedule"}"#);
        assert!(twice.contains("kind is given twice"), "{twice}");
    }

    #[test]
    fn nothing_to_read_is_an_error_that_says_what_is_there_instead() {
        for (text, expected) in [
            ("", "nothing in it"),
            ("# only a comment\n", "nothing in it"),
            ("hello", "no Kubernetes object"),
            ("{\"a\": ", "cannot be read as JSON"),
            ("a: [", "cannot be read as YAML"),
            ("spec: {}", "an object without a kind"),
            ("kind: Job\napiVersion: batch/v1", "only Job (batch/v1)"),
            ("kind: Schedule\napiVersion: other.dev/v1", "only Schedule (other.dev/v1)"),
        ] {
            let said = unreadable(text);
            assert!(said.contains(expected), "{text:?}: {said}");
        }
        let binary = Manifests::read(&["-".to_owned()], &mut [0xff, 0xfe].as_slice());
        assert!(binary.unreadable[0].contains("no text in UTF-8"), "{:?}", binary.unreadable);
        let missing = Manifests::read(&["no/such/file.yaml".to_owned()], &mut "".as_bytes());
        assert!(missing.unreadable[0].contains("failed to read no/such/file.yaml"), "{:?}", missing.unreadable);
    }
}
