//! All that is known to be wrong with a document before it is applied.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::identity;
use super::manifests::Document;
use super::problem::Problem;
use super::schema::{self, Finding};
use super::surprises;
use crate::api::crd;
use crate::api::spec::{ScheduleSpec, Trigger as TriggerSpec};
use crate::time::{Context, Slot, Trigger};

const TRIGGER: &str = "spec.trigger";

/// What is to be said of a document.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What keeps it from working.
    pub problems: Vec<Problem>,
    /// What works, but perhaps not as was meant.
    pub warnings: Vec<Problem>,
}

/// A trigger that was understood, and what was written.
pub struct Understood {
    /// As it was written.
    pub spec: TriggerSpec,
    /// As it answers.
    pub trigger: Trigger,
}

/// Judges a whole document.
#[must_use]
pub fn document(document: &Document, context: &Context<'_>, now: Slot) -> Verdict {
    let object = without_status(document);
    let findings = schema::check(&schema_of(crd::definition()), &object, "");
    let (mut problems, understood) = judge(findings, &object, context);
    problems.splice(0..0, identity::check(document));
    problems.extend(understood.as_ref().and_then(|it| never(it, context)));
    let warnings = match (understood, serde_json::from_value::<ScheduleSpec>(object["spec"].clone())) {
        (Some(understood), Ok(spec)) if problems.is_empty() => surprises::of(&spec, &understood.trigger, context, now),
        _ => Vec::new(),
    };
    Verdict { problems, warnings }
}

/// Judges a document that asks for a run by hand.
#[must_use]
pub fn run(document: &Document) -> Verdict {
    let mut problems = identity::check(document);
    let findings = schema::check(&schema_of(crd::run_definition()), &without_status(document), "");
    problems.extend(findings.into_iter().map(|it| it.problem));
    Verdict { problems, warnings: Vec::new() }
}

/// The API server writes it, and takes it from nobody else.
fn without_status(document: &Document) -> Value {
    let mut object = document.object.clone();
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    object
}

/// Reads only the trigger of a document.
///
/// # Errors
///
/// All that is wrong with it.
pub fn trigger(document: &Document, context: &Context<'_>) -> Result<Understood, Vec<Problem>> {
    let Some(written) = document.object.pointer("/spec/trigger") else {
        return Err(vec![Problem::new(TRIGGER, "is missing")]);
    };
    let schema = &schema_of(crd::definition())["properties"]["spec"]["properties"]["trigger"];
    let (problems, understood) = judge(schema::check(schema, written, TRIGGER), &document.object, context);
    understood.filter(|_| problems.is_empty()).ok_or(problems)
}

/// Puts together what the schema and what the time engine say. Of a field of which both complain
/// the time engine says better what to do.
fn judge(findings: Vec<Finding>, object: &Value, context: &Context<'_>) -> (Vec<Problem>, Option<Understood>) {
    let unreadable: Vec<String> = findings.iter().filter_map(|it| it.unreadable.clone()).collect();
    let mut readable = object.clone();
    unreadable.iter().for_each(|path| leave_out(&mut readable, path));
    let written = readable.pointer("/spec/trigger").cloned();
    let (mut errors, understood) = match written.map(|it| understand(it, context)) {
        Some(Ok(understood)) => (Vec::new(), Some(understood)),
        Some(Err(errors)) => (errors, None),
        None => (Vec::new(), None),
    };
    // What was left out is missed by whatever holds it, and that is our doing.
    errors.retain(|error| !unreadable.iter().any(|path| is_within(path, &error.path)));
    let told = |finding: &Finding| finding.about.iter().any(|path| errors.iter().any(|error| error.path == *path));
    let mut problems: Vec<Problem> = findings.into_iter().filter(|it| !told(it)).map(|it| it.problem).collect();
    problems.extend(errors);
    (problems, understood)
}

/// Why there is no slot at any time, if there is none.
fn never(understood: &Understood, context: &Context<'_>) -> Option<Problem> {
    let Understood { spec, trigger } = understood;
    let fires = |spec: &TriggerSpec| Trigger::parse(spec, context).is_ok_and(|it| !it.never_fires());
    let why = if !trigger.never_fires() {
        return None;
    } else if fires(&TriggerSpec { exclude: None, on_excluded: None, ..spec.clone() }) {
        "all its slots are excluded".to_owned()
    } else if spec.all_of.is_some() {
        "the triggers of allOf have no slot in common".to_owned()
    } else {
        format!("{} never comes", trigger.words())
    };
    Some(Problem::new(TRIGGER, format!("names no instant at all: {why}")))
}

fn understand(written: Value, context: &Context<'_>) -> Result<Understood, Vec<Problem>> {
    let spec: TriggerSpec = serde_json::from_value(written)
        .map_err(|error| vec![Problem::new(TRIGGER, format!("cannot be read: {error}"))])?;
    match Trigger::parse_all(&spec, context) {
        Ok(trigger) => Ok(Understood { spec, trigger }),
        Err(errors) => Err(errors.into_iter().map(Problem::from).collect()),
    }
}

/// The schema of a definition, with that of the metadata, which the API server adds itself.
fn schema_of(mut definition: Value) -> Value {
    let mut schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take();
    let settings = SchemaSettings::openapi3().with(|it| it.inline_subschemas = true);
    let metadata = settings.into_generator().into_root_schema_for::<ObjectMeta>();
    schema["properties"]["metadata"] = serde_json::to_value(metadata).unwrap_or_default();
    schema["properties"]["apiVersion"] = json!({"type": "string"});
    schema["properties"]["kind"] = json!({"type": "string"});
    schema
}

/// Removes a field, such as `spec.trigger.anyOf[1].cron`.
fn leave_out(object: &mut Value, path: &str) {
    let (holder, field) = path.rsplit_once('.').unwrap_or(("", path));
    let pointer: String = holder
        .split(['.', '['])
        .filter(|it| !it.is_empty())
        .map(|it| format!("/{}", it.trim_end_matches(']')))
        .collect();
    if let Some(Value::Object(fields)) = object.pointer_mut(&pointer) {
        fields.remove(field);
    }
}

/// Whether a path is another, or leads to a place within it.
fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Document, Verdict};
    use crate::plugin::manifests::tidy;
    use crate::time::{Context, Slot};

    fn judge(object: Value) -> Verdict {
        let now = Slot::from_unix_seconds(1_795_000_000);
        let document = Document { place: "a.yaml:1".to_owned(), object: tidy(object) };
        super::document(&document, &Context { creation: now, namespace: "default", name: "a" }, now)
    }

    fn with(trigger: Value) -> Value {
        json!({
            "apiVersion": "punctual.dev/v1alpha1",
            "kind": "Schedule",
            "metadata": {"name": "a"},
            "spec": {
                "trigger": trigger,
                "jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "main"}]}}}},
            },
        })
    }

    fn problems(object: Value) -> Vec<String> {
        judge(object).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_right_document_has_no_problem() {
        let mut object = with(json!({"cron": "30 2 * * *", "timeZone": "Europe/Berlin"}));
        object["metadata"]["labels"] = json!({"team": "data"});
        object["metadata"]["creationTimestamp"] = Value::Null;
        object["status"] = json!({"anything": true});
        assert_eq!(problems(object), Vec::<String>::new());
    }

    #[test]
    fn everything_wrong_is_told_at_once_and_once() {
        let mut object = with(json!({"cron": "60 * * * *", "timeZone": "Europe/Berln", "daylightSavings": "RunOnce"}));
        object["spec"]["catchUp"] = json!({"policy": "latest"});
        object["spec"]["resultLimit"] = json!(51);
        object["metadata"] = json!({"name": "Upper", "lables": {"a": "b"}, "labels": {"a": 1}});
        let told = problems(object);
        let beginnings: Vec<String> =
            told.iter().map(|it| it.split([' ', ',', ';']).next().unwrap_or_default().to_owned()).collect();
        let expected = [
            "metadata.name",
            "metadata.labels.a",
            "metadata.lables",
            "spec.catchUp.policy",
            "spec.resultLimit",
            "spec.trigger.daylightSavings",
            "spec.trigger.timeZone",
            "spec.trigger.cron",
        ];
        assert_eq!(beginnings, expected, "{told:#?}");
    }

    #[test]
    fn of_what_both_refuse_only_the_better_sentence_is_told() {
        for (trigger, expected) in [
            (json!({}), "spec.trigger has to have exactly one of cron"),
            (json!({"interval": {"every": "7d"}}), "spec.trigger.interval.every is \"7d\", but an interval is elapsed"),
            (json!({"interval": {"every": "0s"}}), "spec.trigger.interval.every is \"0s\"; expected at least 1s"),
            (json!({"cron": ""}), "spec.trigger.cron has no fields"),
            (
                json!({"cron": "@daily", "notBefore": "2027-01-01T00:00:00Z", "notAfter": "2026-01-01T00:00:00Z"}),
                "spec.trigger.notAfter is before notBefore",
            ),
            (json!({"calendar": {"days": 1, "timeOfDay": "9:30"}}), "spec.trigger.calendar.timeOfDay is \"9:30\""),
            (json!({"atLocal": ["2026-12-24"]}), "spec.trigger.atLocal[0] is \"2026-12-24\"; expected a date and"),
        ] {
            let told = problems(with(trigger.clone()));
            assert_eq!(told.len(), 1, "{trigger}: {told:#?}");
            assert!(told[0].starts_with(expected), "{trigger}: {told:#?}");
        }
    }

    #[test]
    fn a_field_of_the_wrong_type_hides_nothing_else() {
        let trigger = json!({"anyOf": [{"cron": 5}, {"cron": "99 * * * *"}], "timeZone": "Nowhere/Land"});
        let told = problems(with(trigger));
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(told[0].starts_with("spec.trigger.anyOf[0].cron is the number 5"), "{told:#?}");
        assert!(told.iter().any(|it| it.starts_with("spec.trigger.anyOf[1].cron")), "{told:#?}");
        assert!(told.iter().any(|it| it.starts_with("spec.trigger.timeZone")), "{told:#?}");
    }

    #[test]
    fn what_never_comes_is_a_problem() {
        for (trigger, expected) in [
            (json!({"cron": "0 0 31 2 *"}), "at 00:00 on 31 February never comes"),
            (json!({"allOf": [{"cron": "0 3 * * *"}, {"cron": "0 4 * * *"}]}), "allOf have no slot in common"),
            (
                json!({"cron": "0 9 * * *", "exclude": [{"name": "all", "cron": "* * * * *"}]}),
                "all its slots are excluded",
            ),
        ] {
            let told = problems(with(trigger));
            assert_eq!(told.len(), 1, "{told:#?}");
            assert!(told[0].starts_with("spec.trigger names no instant at all"), "{told:#?}");
            assert!(told[0].contains(expected), "{told:#?}");
        }
    }
}
