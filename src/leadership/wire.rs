//! Leases as they travel. Read leniently: what people write into them by hand is no error here,
//! and a time no calendar knows must not keep an election from reading the rest.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::{Api, Client};
use serde_json::{Map, Value, json};

use super::election::{Record, Term};
use crate::api::FIELD_MANAGER;

/// A Lease of which only the metadata is taken for granted.
pub(crate) type LeaseObject = DynamicObject;

/// What a holder writes into a Lease.
pub(crate) struct Claim<'a> {
    /// Empty to release it.
    pub(crate) holder: &'a str,
    pub(crate) duration_seconds: i64,
    pub(crate) transitions: Term,
    /// Since when the holder holds it.
    pub(crate) acquired: Timestamp,
    pub(crate) now: Timestamp,
}

/// Why a request about a Lease did not do what it should.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Somebody else was faster: changed, created or replaced meanwhile.
    Conflict,
    /// There is no such Lease (or no such namespace).
    NotFound,
    /// 401 or 403: does not heal by itself.
    Denied(String),
    /// Anything else. Whether it took effect is unknown.
    Unclear(String),
}

/// The API for Leases of one namespace.
pub(crate) fn api(client: Client, namespace: &str) -> Api<LeaseObject> {
    Api::namespaced_with(client, namespace, &resource())
}

pub(crate) fn resource() -> ApiResource {
    ApiResource::erase::<Lease>(&())
}

/// How we sign our writes.
pub(crate) fn post_params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

/// A Lease yet to be created.
pub(crate) fn new_lease(name: &str, claim: &Claim<'_>) -> LeaseObject {
    let mut lease = DynamicObject::new(name, &resource());
    write(&mut lease, claim);
    lease
}

/// Puts a claim into a Lease, leaving alone what is none of an election's business.
pub(crate) fn write(lease: &mut LeaseObject, claim: &Claim<'_>) {
    lease.metadata.managed_fields = None;
    if !lease.data.is_object() {
        lease.data = Value::Object(Map::new());
    }
    let Some(data) = lease.data.as_object_mut() else { return };
    let mut spec = match data.remove("spec") {
        Some(Value::Object(spec)) => spec,
        _ => Map::new(),
    };
    spec.insert("holderIdentity".to_owned(), json!(claim.holder));
    spec.insert("leaseDurationSeconds".to_owned(), json!(claim.duration_seconds));
    spec.insert("leaseTransitions".to_owned(), json!(claim.transitions));
    spec.insert("acquireTime".to_owned(), json!(MicroTime(claim.acquired)));
    spec.insert("renewTime".to_owned(), json!(MicroTime(claim.now)));
    data.insert("spec".to_owned(), Value::Object(spec));
}

/// What an election looks at.
pub(crate) fn record(lease: &LeaseObject) -> Record {
    let spec = lease.data.get("spec").unwrap_or(&Value::Null);
    let holder = spec.get("holderIdentity").and_then(Value::as_str).filter(|holder| !holder.is_empty());
    Record {
        holder: holder.map(str::to_owned),
        transitions: spec.get("leaseTransitions").and_then(Value::as_i64).unwrap_or(0),
        duration_seconds: spec.get("leaseDurationSeconds").and_then(Value::as_i64),
        resource_version: lease.metadata.resource_version.clone().unwrap_or_default(),
        content: spec.to_string(),
    }
}

/// Since when the holder holds it, if that can be read.
pub(crate) fn acquired(lease: &LeaseObject) -> Option<Timestamp> {
    lease.data.get("spec")?.get("acquireTime")?.as_str()?.parse().ok()
}

impl Refusal {
    /// Reads an error by its meaning; 409 is both "exists" and "changed", and here they mean the
    /// same.
    pub(crate) fn of(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => match status.code {
                409 => Self::Conflict,
                404 => Self::NotFound,
                401 | 403 => Self::Denied(status.message.clone()),
                code => Self::Unclear(format!("{code} {}: {}", status.reason, status.message)),
            },
            other => Self::Unclear(chain(other)),
        }
    }
}

/// An error with its sources on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(json: Value) -> LeaseObject {
        serde_json::from_value(json).expect("any Lease the API server would store")
    }

    #[test]
    fn what_people_write_into_a_lease_is_read_without_complaint() {
        let odd = lease(json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "punctual", "resourceVersion": "7"},
            "spec": {"holderIdentity": "", "renewTime": "9999-12-31T23:59:59.999999Z", "leaseDurationSeconds": 2147483647},
        }));
        let read = record(&odd);
        assert_eq!((read.holder, read.transitions, read.duration_seconds), (None, 0, Some(2_147_483_647)));
        let bare = lease(json!({"metadata": {"name": "punctual"}}));
        assert_eq!(record(&bare).holder, None);
    }

    #[test]
    fn a_claim_leaves_alone_what_is_none_of_its_business() {
        let mut theirs = lease(json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "punctual", "resourceVersion": "7", "labels": {"team": "a"}},
            "spec": {"strategy": "OldestEmulationVersion", "acquireTime": "2026-01-01T00:00:00.000000Z"},
        }));
        let acquired = acquired(&theirs).expect("readable");
        let now = Timestamp::UNIX_EPOCH;
        write(&mut theirs, &Claim { holder: "me", duration_seconds: 15, transitions: 4, acquired, now });
        let written = serde_json::to_value(&theirs).expect("serializes");
        assert_eq!(
            written,
            json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": "punctual", "resourceVersion": "7", "labels": {"team": "a"}},
                "spec": {
                    "strategy": "OldestEmulationVersion", "acquireTime": "2026-01-01T00:00:00.000000Z",
                    "holderIdentity": "me", "leaseDurationSeconds": 15, "leaseTransitions": 4,
                    "renewTime": "1970-01-01T00:00:00.000000Z",
                },
            })
        );
    }
}
