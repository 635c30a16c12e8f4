//! What happened, told for people: a line for each thing, in the order of time.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::Value;

use super::World;
use crate::history::{Asked, Change, Fact};

/// Requests are told that came this long before the end.
const REQUESTS_SECONDS: i64 = 30;
/// What is told of a value.
const VALUE_LENGTH: usize = 160;

impl World {
    /// All that happened until now. Requests are told if they are of the last seconds, or if all are
    /// wanted.
    pub fn story(&self, all_requests: bool) -> String {
        let history = self.api.history();
        let from = self.now.timestamp().as_second() - if all_requests { i64::MAX / 2 } else { REQUESTS_SECONDS };
        let mut lines: Vec<(Timestamp, String)> = Vec::new();
        lines.extend(history.facts.iter().map(|it| (it.at, fact(it))));
        lines.extend(history.changes.iter().filter(|it| !is_renewal(it)).map(|it| (it.at, change(it))));
        let told = history.requests.iter().filter(|it| it.at.as_second() >= from && !is_routine(it));
        lines.extend(told.map(|it| (it.at, asked(it))));
        lines.extend(self.said.iter().map(|(at, it)| (at.timestamp(), format!("     {}: {}", it.by, it.line))));
        lines.sort_by_key(|it| it.0);
        lines.into_iter().fold(String::new(), |mut story, (at, line)| {
            let _ = writeln!(story, "{} {line}", at.strftime("%H:%M:%S%.3f"));
            story
        })
    }
}

fn fact(fact: &Fact) -> String {
    format!("==== {:?}", fact.what)
}

fn change(change: &Change) -> String {
    let Change { version, by, resource, name, .. } = change;
    let what = match (&change.before, &change.after) {
        (None, Some(after)) => format!("created {}", short(&after["spec"])),
        (Some(_), None) => "removed".to_owned(),
        (Some(before), Some(after)) => {
            let mut differences = Vec::new();
            compare(String::new(), before, after, &mut differences);
            differences.join("; ")
        }
        (None, None) => String::new(),
    };
    format!("  #{version} {by}: {resource}/{name} {what}")
}

fn asked(asked: &Asked) -> String {
    let made = asked.made.map(|it| format!(" (#{it})")).unwrap_or_default();
    format!("     {} {} {} -> {}{made}", asked.by, asked.method, asked.uri, asked.code)
}

/// Renewals of Leases say nothing.
fn is_renewal(change: &Change) -> bool {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return false };
    change.resource == "leases" && before["spec"]["holderIdentity"] == after["spec"]["holderIdentity"]
}

fn is_routine(asked: &Asked) -> bool {
    asked.code == 200 && (asked.uri.contains("/leases/punctual") || asked.uri == "/version")
}

fn compare(path: String, before: &Value, after: &Value, differences: &mut Vec<String>) {
    if before == after || ["metadata/resourceVersion", "metadata/managedFields"].contains(&path.as_str()) {
        return;
    }
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return differences.push(format!("{path}: {} -> {}", short(before), short(after)));
    };
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let inner = if path.is_empty() { key.clone() } else { format!("{path}/{key}") };
        compare(inner, &before[key], &after[key], differences);
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_LENGTH) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
