//! What the documents say about the operator's requests.

use std::collections::BTreeSet;

const DOCUMENT: &str = include_str!("../../../SECURITY.md");

/// Each request that the operator makes, as SECURITY.md has it: the resource, or the path, and the
/// verb.
pub fn documented() -> BTreeSet<(String, String)> {
    let (_, table) = DOCUMENT.split_once("| on | verbs | where | for |").expect("a table of rights");
    let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| `"));
    let rights = rows.flat_map(|row| {
        let (resource, rest) = row.split_once("` | ").expect("a resource");
        let verbs = rest.split(" | ").next().unwrap_or_default();
        verbs.split(", ").map(|verb| (resource.to_owned(), verb.to_owned()))
    });
    rights.collect()
}
