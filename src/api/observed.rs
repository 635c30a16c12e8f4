//! The form in which our resources are watched: any object of the kind, its spec and status unread.
//!
//! A typed watch stalls for all objects when one of them cannot be decoded. So the watch takes
//! whatever there is, and each object is read where it is decided on. Text is also the smallest
//! form in memory.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::schedule_run::{ScheduleRun, ScheduleRunSpec, ScheduleRunStatus};
use super::spec::{Schedule, ScheduleSpec};
use super::status::ScheduleStatus;

/// A Schedule as it came from the API server, its spec and status as text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ObservedSchedule {
    /// Standard metadata.
    #[serde(default, deserialize_with = "lean")]
    pub metadata: ObjectMeta,
    /// `spec`, unread.
    #[serde(default)]
    pub spec: JsonText,
    /// `status`, unread.
    #[serde(default, skip_serializing_if = "JsonText::is_null")]
    pub status: JsonText,
}

impl ObservedSchedule {
    /// The spec, or in words why this version cannot read it.
    ///
    /// # Errors
    /// When the stored object does not have the form this version knows.
    pub fn read_spec(&self) -> Result<ScheduleSpec, serde_json::Error> {
        serde_json::from_str(&self.spec.0)
    }

    /// The status, `None` when there is none yet.
    ///
    /// # Errors
    /// When the stored object does not have the form this version knows.
    pub fn read_status(&self) -> Result<Option<ScheduleStatus>, serde_json::Error> {
        serde_json::from_str(&self.status.0)
    }
}

/// A ScheduleRun as it came from the API server, its spec and status as text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ObservedScheduleRun {
    /// Standard metadata.
    #[serde(default, deserialize_with = "lean")]
    pub metadata: ObjectMeta,
    #[serde(default)]
    spec: JsonText,
    /// `status`, unread.
    #[serde(default, skip_serializing_if = "JsonText::is_null")]
    pub status: JsonText,
}

impl ObservedScheduleRun {
    /// The spec, or in words why this version cannot read it.
    ///
    /// # Errors
    /// When the stored object does not have the form this version knows.
    pub fn read_spec(&self) -> Result<ScheduleRunSpec, serde_json::Error> {
        serde_json::from_str(&self.spec.0)
    }

    /// The status, empty when there is none yet.
    ///
    /// # Errors
    /// When the stored object does not have the form this version knows.
    pub fn read_status(&self) -> Result<ScheduleRunStatus, serde_json::Error> {
        serde_json::from_str::<Option<_>>(&self.status.0).map(Option::unwrap_or_default)
    }
}

/// An object of whose kind only the metadata were asked for.
#[derive(Clone, Debug, Deserialize)]
pub struct Named {
    /// Standard metadata.
    #[serde(default, deserialize_with = "lean")]
    pub metadata: ObjectMeta,
}

/// Reads what we need of metadata. The managed fields alone are larger than all the rest of an object,
/// and take longer to read.
pub(crate) fn lean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    Lean::deserialize(deserializer).map(ObjectMeta::from)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Lean {
    annotations: Option<BTreeMap<String, String>>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    name: Option<String>,
    namespace: Option<String>,
    owner_references: Option<Vec<OwnerReference>>,
    resource_version: Option<String>,
    uid: Option<String>,
}

impl From<Lean> for ObjectMeta {
    fn from(lean: Lean) -> Self {
        Self {
            annotations: lean.annotations,
            creation_timestamp: lean.creation_timestamp,
            deletion_timestamp: lean.deletion_timestamp,
            generation: lean.generation,
            labels: lean.labels,
            name: lean.name,
            namespace: lean.namespace,
            owner_references: lean.owner_references,
            resource_version: lean.resource_version,
            uid: lean.uid,
            ..Self::default()
        }
    }
}

/// An observed object is of the kind that its typed form is of.
macro_rules! is_of_kind {
    ($observed:ty, $typed:ty) => {
        impl kube::Resource for $observed {
            type DynamicType = ();
            type Scope = kube::core::NamespaceResourceScope;

            fn kind((): &()) -> Cow<'_, str> {
                <$typed>::kind(&())
            }

            fn group((): &()) -> Cow<'_, str> {
                <$typed>::group(&())
            }

            fn version((): &()) -> Cow<'_, str> {
                <$typed>::version(&())
            }

            fn plural((): &()) -> Cow<'_, str> {
                <$typed>::plural(&())
            }

            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

is_of_kind!(ObservedSchedule, Schedule);
is_of_kind!(ObservedScheduleRun, ScheduleRun);

/// Compact JSON text with sorted keys. No more memory than the text: there are thousands of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonText(Box<str>);

impl JsonText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_null(&self) -> bool {
        &*self.0 == "null"
    }
}

impl Default for JsonText {
    fn default() -> Self {
        Self("null".into())
    }
}

impl From<&serde_json::Value> for JsonText {
    fn from(value: &serde_json::Value) -> Self {
        Self::from(value.clone())
    }
}

impl From<serde_json::Value> for JsonText {
    fn from(mut value: serde_json::Value) -> Self {
        value.sort_all_objects();
        Self(value.to_string().into())
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: serde_json::Value = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(serde_json::Value::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::ObservedSchedule;

    #[test]
    fn an_object_this_version_cannot_read_is_still_taken_in() {
        let observed: ObservedSchedule =
            serde_json::from_str(r#"{"metadata":{"name":"a"},"spec":{"trigger":42},"status":{"active":"?"}}"#)
                .expect("taken in");
        assert!(observed.read_spec().is_err());
        assert!(observed.read_status().is_err());
    }

    #[test]
    fn of_the_metadata_what_decisions_need_is_read() {
        let text = r#"{"metadata":{"name":"a","namespace":"b","uid":"c","resourceVersion":"4","generation":2,
            "creationTimestamp":"2026-06-01T10:00:00Z","deletionTimestamp":null,"labels":{"d":"e"},
            "managedFields":[{"manager":"f","fieldsV1":{"f:spec":{}}}]}}"#;
        let metadata = serde_json::from_str::<ObservedSchedule>(text).expect("taken in").metadata;
        let read = serde_json::to_value(&metadata).expect("written");
        let mut expected: serde_json::Value = serde_json::from_str(text).expect("JSON");
        expected["metadata"]
            .as_object_mut()
            .expect("an object")
            .retain(|key, value| key != "managedFields" && !value.is_null());
        assert_eq!(read, expected["metadata"]);
    }

    #[test]
    fn no_status_is_not_an_error() {
        let observed: ObservedSchedule = serde_json::from_str(r#"{"metadata":{"name":"a"}}"#).expect("taken in");
        assert_eq!(observed.read_status().expect("readable"), None);
    }
}
