//! The resources users write and read: group `punctual.dev`, version `v1alpha1`, kinds `Schedule`
//! and `ScheduleRun`.
//!
//! Pure. [`spec`] is what a user asks for, [`status`] what we tell, [`schedule_run`] both of a run
//! that is asked for by hand, [`crd`] the definitions installed in a cluster, [`observed`] the
//! lenient form in which objects are watched.

pub mod crd;
pub mod duration;
pub mod observed;
pub mod schedule_run;
pub mod spec;
pub mod status;

mod words;

pub use duration::Duration;
pub use observed::{ObservedSchedule, ObservedScheduleRun};
pub use schedule_run::{ScheduleRun, ScheduleRunSpec, ScheduleRunStatus};
pub use spec::{Schedule, ScheduleSpec};
pub use status::ScheduleStatus;

/// The API group of our resources, and the prefix of our labels and annotations.
pub const GROUP: &str = "punctual.dev";
/// The one served and stored version.
pub const VERSION: &str = "v1alpha1";
/// The field manager under which we write.
pub const FIELD_MANAGER: &str = "punctual";
