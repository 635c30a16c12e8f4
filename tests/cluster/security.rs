//! What the chart offers against those who have some rights and want more.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Story, story, text};

/// A user with few rights.
const WRITER: &str = "writer";

#[test]
fn who_may_not_create_jobs_may_write_no_schedule_where_the_policy_asks_for_it() {
    story(async |story| {
        install(story, "policies.requireJobCreate=true", "require-job-create").await;
        let operator = story.operator("a").await;
        story.leader(&[&operator]).await;
        allow(story, "punctual.dev", "schedules").await;
        let manifest = |spec: &str| {
            let container = "{name: main, image: \"example/work:1\"}";
            let template = format!("{{spec: {{template: {{spec: {{containers: [{container}]}}}}}}}}");
            format!(
                "{{apiVersion: punctual.dev/v1alpha1, kind: Schedule, metadata: {{name: it}}, spec: {{trigger: {spec}, jobTemplate: {template}}}}}"
            )
        };
        let (hourly, daily) = (manifest("{cron: '0 * * * *'}"), manifest("{cron: '0 0 * * *'}"));
        let said = story
            .until("the policy is in force", async || {
                let refused = as_user(story, WRITER, &["create", "--dry-run=server"], &hourly);
                refused.err().filter(|it| it.contains("denied"))
            })
            .await;
        assert!(said.contains("user writer may not create Jobs in the namespace"), "{said}");

        // Somebody who may makes it. Its spec is not the other's to change, but its labels are;
        story.kubectl(&["create"], &hourly);
        let edit = as_user(story, WRITER, &["replace"], &daily).expect_err("an edit of the spec");
        assert!(edit.contains("may not create Jobs"), "{edit}");
        as_user(story, WRITER, &["label", "psched/it", "team=a"], "").expect("a label");
        // and the operator writes its status as ever.
        story.until_condition("it", "Ready", "True", "Scheduled").await;

        // With the right on Jobs the right on Schedules is what it seems.
        allow(story, "batch", "jobs").await;
        story.until("the right on Jobs counts", async || as_user(story, WRITER, &["replace"], &daily).ok()).await;
    });
}

#[test]
fn the_operators_account_writes_no_leases_of_others_where_the_policy_asks_for_it() {
    story(async |story| {
        let lease = |name: &str, labels: &Value| {
            let metadata = json!({"name": name, "labels": labels});
            json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": {"holderIdentity": "x"}}).to_string()
        };
        let ours = json!({"app.kubernetes.io/managed-by": "punctual"});
        story.apply(&lease("of-somebody", &json!({}))).await;
        install(story, "policies.ownLeasesOnly=true", "own-leases-only").await;
        let account = format!("system:serviceaccount:{}:punctual", story.namespace);
        let said = story
            .until("the policy is in force", async || {
                let refused = as_user(story, &account, &["create", "--dry-run=server"], &lease("new", &json!({})));
                refused.err().filter(|it| it.contains("denied"))
            })
            .await;
        assert!(said.contains("it is not the operator's to write"), "{said}");
        // Not even by putting the label on it,
        let taken = as_user(story, &account, &["replace"], &lease("of-somebody", &ours)).expect_err("a take-over");
        assert!(taken.contains("does not carry the label"), "{taken}");
        // nor by deleting it;
        let gone = as_user(story, &account, &["delete", "lease/of-somebody"], "").expect_err("a removal");
        assert!(gone.contains("does not carry the label"), "{gone}");
        // while the operator leads, and looks after a run, as ever.
        let operator = story.operator("a").await;
        story.leader(&[&operator]).await;
        let slot = crate::harness::seconds_from_now(2);
        story.schedule("long", &format!("trigger: {{at: [\"{slot}\"]}}"), "devcluster/hang: \"true\"").await;
        let job = story.until_job("long", slot).await;
        let lease =
            story.until("the run has its Lease", async || story.get("Lease", text(&job, "/metadata/name")).await).await;
        assert_eq!(text(&lease, "/metadata/labels/app.kubernetes.io~1managed-by"), "punctual");
    });
}

#[test]
fn a_run_of_a_schedule_of_an_impossible_name_is_over_and_asks_for_nothing_else() {
    story(async |story| {
        let operator = story.operator("a").await;
        story.leader(&[&operator]).await;
        // A Schedule there is, so that a list of them would not be empty.
        story.schedule("other", "trigger: {at: [\"2099-01-01T00:00:00Z\"]}", "").await;
        for (run, schedule) in [("list", "?"), ("climb", "../jobs"), ("query", "other?x=")] {
            let metadata = json!({"name": run});
            let spec = json!({"scheduleName": schedule});
            let manifest = json!({"apiVersion": "punctual.dev/v1alpha1", "kind": "ScheduleRun", "metadata": metadata, "spec": spec});
            story.apply(&manifest.to_string()).await;
            let over = async || {
                let run = story.get("ScheduleRun", run).await?;
                (text(&run, "/status/reason") == "NoSuchSchedule").then_some(())
            };
            story.until(&format!("the ScheduleRun for {schedule} is over"), over).await;
        }
        // That a look comes to rest is held against every story.
    });
}

#[test]
fn the_operators_pod_passes_the_pod_security_standard_restricted() {
    story(async |story| {
        story.kubectl_ok(&["label", "namespace", &story.namespace, "pod-security.kubernetes.io/enforce=restricted"]);
        let deployment = render(story, "replicas=1").into_iter().find(|it| it["kind"] == "Deployment");
        let template = deployment.expect("a Deployment")["spec"]["template"].clone();
        let pod = |spec: &Value| {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "it"}, "spec": spec}).to_string()
        };
        let create = |spec: &Value| as_admin(story, &["create", "--dry-run=server"], &pod(spec));
        create(&template["spec"]).expect("taken as it is");
        // It is really looked at.
        let mut lax = template["spec"].clone();
        lax["containers"][0]["securityContext"] = Value::Null;
        let refused = create(&lax).expect_err("without its security context");
        assert!(refused.contains("violates PodSecurity \"restricted"), "{refused}");
    });
}

/// The chart with these values, for an operator of the story's namespace.
fn render(story: &Story, values: &str) -> Vec<Value> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/punctual");
    let watched = format!("watchNamespaces={{{}}},crds.enabled=false,rbac.userRoles=false,{values}", story.namespace);
    let mut helm = Command::new(story.cluster.dir.join("bin/helm"));
    helm.args(["template", "punctual"]).arg(chart).args(["--namespace", &story.namespace, "--set", &watched]);
    let output = helm.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all = String::from_utf8(output.stdout).unwrap();
    all.split("\n---\n").map(|it| serde_saphyr::from_str(it).unwrap()).collect()
}

/// Installs a policy of the chart that is off by default.
async fn install(story: &Story, values: &str, name: &str) {
    let wanted: Vec<Value> =
        render(story, values).into_iter().filter(|it| text(it, "/metadata/name").contains(name)).collect();
    assert_eq!(wanted.len(), 2, "a policy and its binding: {wanted:?}");
    for manifest in wanted {
        story.apply(&manifest.to_string()).await;
    }
}

/// Gives the user with few rights all rights on a resource.
async fn allow(story: &Story, group: &str, resource: &str) {
    let rules = json!([{"apiGroups": [group], "resources": [resource], "verbs": ["*"]}]);
    let name = format!("{WRITER}-of-{resource}");
    let api_version = "rbac.authorization.k8s.io/v1";
    let role = json!({"apiVersion": api_version, "kind": "Role", "metadata": {"name": name}, "rules": rules});
    let reference = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name});
    let subject = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": WRITER});
    let binding = json!({"apiVersion": api_version, "kind": "RoleBinding", "metadata": {"name": name}, "roleRef": reference, "subjects": [subject]});
    story.apply(&role.to_string()).await;
    story.apply(&binding.to_string()).await;
}

fn as_user(story: &Story, user: &str, arguments: &[&str], manifest: &str) -> Result<String, String> {
    as_admin(story, &[&["--as", user], arguments].concat(), manifest)
}

/// What `kubectl` printed, or why it failed.
fn as_admin(story: &Story, arguments: &[&str], manifest: &str) -> Result<String, String> {
    let output = story.kubectl(arguments, manifest);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}
