//! What the API server noted about every request of an account.

use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value;

/// One request, as the API server noted it.
#[derive(Debug, Clone)]
pub struct Request {
    /// `create`, `update`, `patch`, `delete`, `get`, `list`, `watch`.
    pub verb: String,
    /// `jobs`, `schedules/status`, `leases` and so on; the path of what is no resource.
    pub resource: String,
    /// The object's name.
    pub name: String,
    /// The answer's code.
    pub code: i64,
    /// The answer's message, if it was a refusal.
    pub message: String,
    /// Which token came with it: each replica has its own.
    pub credential: String,
    /// Whether it lacked a right.
    pub is_unauthorized: bool,
}

impl Request {
    /// Whether it would change something.
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }
}

/// How much has been noted so far.
pub fn length(log: &Path) -> u64 {
    std::fs::metadata(log).map_or(0, |it| it.len())
}

/// The requests of an account since the log had a length.
pub fn requests(log: &Path, since: u64, account: &str) -> Vec<Request> {
    let mut file = std::fs::File::open(log).unwrap();
    file.seek(SeekFrom::Start(since)).unwrap();
    let name = format!("\"{account}\"");
    let lines = BufReader::new(file).split(b'\n').map_while(Result::ok);
    // The last line may be half written.
    lines
        .filter_map(|line| String::from_utf8(line).ok())
        .filter(|line| line.contains(&name))
        .filter_map(|line| read(&line, account))
        .collect()
}

/// `None` for what somebody else asked, in the name of the account.
fn read(line: &str, account: &str) -> Option<Request> {
    let event: Value = serde_json::from_str(line).ok()?;
    let field = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    if field("/user/username") != account {
        return None;
    }
    let subresource = field("/objectRef/subresource");
    let resource = match (field("/objectRef/resource"), subresource.as_str()) {
        (none, _) if none.is_empty() => field("/requestURI").split('?').next().unwrap_or_default().to_owned(),
        (resource, "") => resource,
        (resource, subresource) => format!("{resource}/{subresource}"),
    };
    Some(Request {
        verb: field("/verb"),
        resource,
        name: field("/objectRef/name"),
        code: event.pointer("/responseStatus/code").and_then(Value::as_i64).unwrap_or_default(),
        message: field("/responseStatus/message"),
        credential: field("/user/extra/authentication.kubernetes.io~1credential-id/0"),
        is_unauthorized: field("/annotations/authorization.k8s.io~1decision") == "forbid",
    })
}
