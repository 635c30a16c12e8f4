//! The form in which our resources are watched: any object of the kind, its spec and status unread.
//!
//! A typed watch stalls for all objects when one of them cannot be decoded. So the watch takes
//! whatever there is, and each object is read where it is decided on. Text is also the smallest
//! form in memory.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::schedule_run::{ScheduleRun, ScheduleRunSpec, ScheduleRunStatus};
use super::spec::{Schedule, ScheduleSpec};
use super::status::ScheduleStatus;

/// A Schedule as it came from the API server, its spec and status as text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ObservedSchedule {
    /// Standard metadata.
    #[serde(default)]
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
    #[serde(default)]
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

/// Compact JSON text with sorted keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonText(String);

impl JsonText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_null(&self) -> bool {
        self.0 == "null"
    }
}

impl Default for JsonText {
    fn default() -> Self {
        Self("null".into())
    }
}

impl From<&serde_json::Value> for JsonText {
    fn from(value: &serde_json::Value) -> Self {
        let mut sorted = value.clone();
        sorted.sort_all_objects();
        Self(sorted.to_string())
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
        Ok(Self::from(&serde_json::Value::deserialize(deserializer)?))
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
    fn no_status_is_not_an_error() {
        let observed: ObservedSchedule = serde_json::from_str(r#"{"metadata":{"name":"a"}}"#).expect("taken in");
        assert_eq!(observed.read_status().expect("readable"), None);
    }
}
