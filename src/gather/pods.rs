//! What Pods tell of a run: how it ended, or why it does not begin. Pure.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};

use crate::decide::snapshot::Evidence;

const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// What the Pod that decided a finished Job tells: of a failed one the failed Pod with the lowest
/// index (of an Indexed Job), else the one that ended last; of a complete one that with index 0,
/// else the one that ended last.
#[must_use]
pub fn evidence(pods: &[Pod], job_failed: bool, result_container: Option<&str>) -> Evidence {
    let phase = if job_failed { "Failed" } else { "Succeeded" };
    let of_phase = |pod: &&Pod| pod.status.as_ref().and_then(|it| it.phase.as_deref()) == Some(phase);
    let decided = pods
        .iter()
        .filter(of_phase)
        .min_by_key(|pod| (index(pod).unwrap_or(u32::MAX), std::cmp::Reverse(ended_at(pod))))
        // A Job that ran into its deadline may have had its Pods killed before they could fail.
        .or_else(|| pods.iter().max_by_key(|pod| ended_at(pod)));
    let Some(pod) = decided else { return Evidence::default() };
    match terminated(pod, result_container) {
        Some(end) => Evidence {
            exit_code: Some(end.exit_code),
            reason: end.reason.clone(),
            message: Some(end.message.clone().unwrap_or_default()),
        },
        None => {
            let status = pod.status.as_ref();
            Evidence {
                exit_code: None,
                reason: status.and_then(|it| it.reason.clone()),
                message: Some(status.and_then(|it| it.message.clone()).unwrap_or_default()),
            }
        }
    }
}

/// Why a Job has no ready Pod.
#[must_use]
pub fn waiting(pods: &[Pod], is_suspended: bool) -> String {
    if is_suspended {
        return "it is suspended (spec.suspend of the Job), and has no Pod until somebody resumes it".into();
    }
    let Some(pod) = pods.first() else {
        return "no Pod was created: kubectl describe its Job tells why".into();
    };
    let containers = statuses(pod).filter_map(|it| it.state.as_ref()?.waiting.as_ref());
    for waiting in containers {
        if let Some(reason) = waiting.reason.as_deref().filter(|it| *it != "PodInitializing") {
            return format!("{reason}: {}", waiting.message.as_deref().unwrap_or("no message"));
        }
    }
    let conditions = pod.status.as_ref().and_then(|it| it.conditions.as_deref()).unwrap_or_default();
    let unmet = conditions.iter().find(|it| it.status == "False" && it.type_ == "PodScheduled");
    let unmet = unmet.or_else(|| conditions.iter().find(|it| it.status == "False"));
    match unmet {
        Some(it) => {
            format!("{}: {}", it.reason.as_deref().unwrap_or(&it.type_), it.message.as_deref().unwrap_or("no message"))
        }
        None => "its Pod is running, but not ready".into(),
    }
}

fn index(pod: &Pod) -> Option<u32> {
    pod.metadata.annotations.as_ref()?.get(INDEX)?.parse().ok()
}

fn ended_at(pod: &Pod) -> Option<jiff::Timestamp> {
    statuses(pod).filter_map(|it| it.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()).map(|it| it.0).max()
}

/// The end of the container the result is taken from; else of one that failed, so that a failed
/// init container or sidecar is not passed over in silence.
fn terminated<'a>(pod: &'a Pod, result_container: Option<&str>) -> Option<&'a ContainerStateTerminated> {
    let first = pod.spec.as_ref().and_then(|it| it.containers.first()).map(|it| it.name.as_str());
    let name = result_container.or(first);
    let end = |it: &'a ContainerStatus| it.state.as_ref().and_then(|it| it.terminated.as_ref());
    let its_own = statuses(pod).find(|it| Some(it.name.as_str()) == name).and_then(end);
    its_own.or_else(|| statuses(pod).filter_map(end).find(|it| it.exit_code != 0))
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let main = status.and_then(|it| it.container_statuses.as_deref()).unwrap_or_default();
    let init = status.and_then(|it| it.init_container_statuses.as_deref()).unwrap_or_default();
    main.iter().chain(init)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::{Value, json};

    use super::{evidence, waiting};

    fn pod(phase: &str, index: Option<u32>, finished: &str, code: i32, message: &str) -> Pod {
        let annotations = index.map(|it| json!({"batch.kubernetes.io/job-completion-index": it.to_string()}));
        let end = json!({"exitCode": code, "message": message, "reason": if code == 0 { "Completed" } else { "Error" }, "finishedAt": finished});
        read(json!({
            "metadata": {"annotations": annotations},
            "spec": {"containers": [{"name": "main"}]},
            "status": {"phase": phase, "containerStatuses": [status("main", json!({"terminated": end}))]},
        }))
    }

    fn status(name: &str, state: Value) -> Value {
        json!({"name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state})
    }

    fn read(value: Value) -> Pod {
        serde_json::from_value(value).expect("a Pod")
    }

    #[test]
    fn of_several_failed_pods_the_one_that_ended_last_decided() {
        let pods = [
            pod("Failed", None, "2026-01-01T00:00:01Z", 1, "first"),
            pod("Failed", None, "2026-01-01T00:00:09Z", 7, "last"),
        ];
        assert_eq!(evidence(&pods, true, None).message.as_deref(), Some("last"));
        assert_eq!(evidence(&pods, true, None).exit_code, Some(7));
    }

    #[test]
    fn of_an_indexed_job_the_lowest_index_decided() {
        let failed = [
            pod("Failed", Some(4), "2026-01-01T00:00:09Z", 4, "four"),
            pod("Failed", Some(2), "2026-01-01T00:00:01Z", 2, "two"),
        ];
        assert_eq!(evidence(&failed, true, None).message.as_deref(), Some("two"));
        let succeeded = [
            pod("Succeeded", Some(1), "2026-01-01T00:00:09Z", 0, "one"),
            pod("Succeeded", Some(0), "2026-01-01T00:00:01Z", 0, "zero"),
        ];
        assert_eq!(evidence(&succeeded, false, None).message.as_deref(), Some("zero"));
    }

    #[test]
    fn a_failed_init_container_is_told_when_the_main_one_never_ran() {
        let pods = [read(json!({
            "spec": {"containers": [{"name": "main"}]},
            "status": {"phase": "Failed", "containerStatuses": [status("main", json!({"waiting": {"reason": "PodInitializing"}}))],
                "initContainerStatuses": [status("setup", json!({"terminated": {"exitCode": 3, "message": "no disk"}}))]},
        }))];
        assert_eq!(evidence(&pods, true, None).exit_code, Some(3));
    }

    #[test]
    fn no_pod_left_and_a_pod_without_a_word_are_told_apart() {
        assert_eq!(evidence(&[], true, None).message, None);
        let evicted = read(
            json!({"spec": {"containers": [{"name": "main"}]}, "status": {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}}),
        );
        let told = evidence(&[evicted], true, None);
        assert_eq!((told.reason.as_deref(), told.message.as_deref()), (Some("Evicted"), Some("low on memory")));
    }

    #[test]
    fn the_cause_of_waiting_is_the_most_telling_one() {
        let pulling = read(
            json!({"status": {"containerStatuses": [status("main", json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}))]}}),
        );
        assert_eq!(waiting(&[pulling], false), "ImagePullBackOff: no such image");
        let unscheduled = read(
            json!({"status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]}}),
        );
        assert_eq!(waiting(&[unscheduled], false), "Unschedulable: 0/3 nodes");
        assert!(waiting(&[], false).starts_with("no Pod was created"));
        assert!(waiting(&[], true).starts_with("it is suspended"));
    }
}
