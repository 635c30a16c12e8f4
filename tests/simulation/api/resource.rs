//! The resources the model serves.

use serde_json::{Value, json};

/// A kind of object, all of them in namespaces.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    pub plural: &'static str,
    /// Empty for the core group.
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    /// Whether its status is written through a subresource.
    pub has_status: bool,
    /// Whether a CustomResourceDefinition made it.
    pub is_custom: bool,
    /// Whether its metadata counts versions of the spec.
    pub has_generation: bool,
    /// Whether a PUT of one that is not there creates it.
    pub creates_on_update: bool,
    /// Whether a PUT may leave out the version it replaces.
    pub updates_blindly: bool,
}

pub const SCHEDULES: &str = "schedules";
pub const SCHEDULE_RUNS: &str = "scheduleruns";
pub const JOBS: &str = "jobs";
pub const PODS: &str = "pods";
pub const LEASES: &str = "leases";

const PLAIN: Resource = Resource {
    plural: "",
    group: "",
    version: "v1",
    kind: "",
    has_status: false,
    is_custom: false,
    has_generation: false,
    creates_on_update: false,
    updates_blindly: false,
};
const OURS: Resource = Resource {
    group: "punctual.dev",
    version: "v1alpha1",
    has_status: true,
    is_custom: true,
    has_generation: true,
    ..PLAIN
};

static RESOURCES: [Resource; 6] = [
    Resource { plural: SCHEDULES, kind: "Schedule", ..OURS },
    Resource { plural: SCHEDULE_RUNS, kind: "ScheduleRun", ..OURS },
    Resource {
        plural: JOBS,
        group: "batch",
        kind: "Job",
        has_status: true,
        has_generation: true,
        updates_blindly: true,
        ..PLAIN
    },
    Resource { plural: PODS, kind: "Pod", has_status: true, has_generation: true, updates_blindly: true, ..PLAIN },
    Resource { plural: LEASES, group: "coordination.k8s.io", kind: "Lease", creates_on_update: true, ..PLAIN },
    Resource {
        plural: "events",
        group: "events.k8s.io",
        kind: "Event",
        creates_on_update: true,
        updates_blindly: true,
        ..PLAIN
    },
];

impl Resource {
    /// The resource of this plural, which is known to be served.
    pub fn named(plural: &str) -> &'static Self {
        RESOURCES.iter().find(|it| it.plural == plural).unwrap_or_else(|| panic!("no such resource: {plural}"))
    }

    /// The resource of this group, version and plural.
    pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Self> {
        RESOURCES.iter().find(|it| (it.group, it.version, it.plural) == (group, version, plural))
    }

    /// As refusals name it: `jobs.batch`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    pub fn of_kind(api_version: &str, kind: &str) -> Option<&'static Self> {
        RESOURCES.iter().find(|it| it.kind == kind && it.api_version() == api_version)
    }

    /// As refusals name its kind: `Job.batch`.
    pub fn qualified_kind(&self) -> String {
        let group = self.group_of_kind();
        if group.is_empty() { self.kind.to_owned() } else { format!("{}.{group}", self.kind) }
    }

    /// Events are of the core group to the server, by whichever group they are asked for.
    fn group_of_kind(&self) -> &'static str {
        if self.kind == "Event" { "" } else { self.group }
    }

    /// What an answer is about, in words of the path.
    pub fn details(&self, name: &str) -> Value {
        details(name, self.plural, self.group)
    }

    /// What an answer is about, in words of the object.
    pub fn details_of_kind(&self, name: &str) -> Value {
        details(name, self.kind, self.group_of_kind())
    }

    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Puts version and kind where they belong.
    pub fn stamp(&self, object: &mut Value) {
        object["apiVersion"] = json!(self.api_version());
        object["kind"] = json!(self.kind);
    }
}

fn details(name: &str, kind: &str, group: &str) -> Value {
    let all = [("name", name), ("group", group), ("kind", kind)];
    all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(field, value)| (field, json!(value))).collect()
}
