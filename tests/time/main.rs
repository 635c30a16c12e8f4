//! The time engine, held against what others compute: listed vectors, a Go library, a clock that is
//! looked at every second, and the rules that hold for every trigger.

#![expect(clippy::panic, reason = "a test fails by panicking")]

mod properties;
mod random;
mod robfig;
mod vectors;
mod zones;

use jiff::Timestamp;
use punctual::time::{Context, Slot, Trigger, TriggerError};
use serde_json::Value;

/// Reads a trigger as it stands in a manifest.
fn parse(spec: Value) -> Result<Trigger, TriggerError> {
    let context = Context { creation: slot("2026-01-01T00:00:00Z"), namespace: "shop", name: "nightly-report" };
    let spec = serde_json::from_value(spec.clone()).unwrap_or_else(|error| panic!("{spec}: {error}"));
    Trigger::parse(&spec, &context)
}

fn trigger(spec: Value) -> Trigger {
    parse(spec.clone()).unwrap_or_else(|error| panic!("{spec}: {error}"))
}

fn slot(text: &str) -> Slot {
    Slot::ceil(text.parse::<Timestamp>().expect(text))
}

fn last() -> Slot {
    Slot::ceil(Timestamp::MAX)
}
