//! Admission policies that stories put into the operator's way.

use serde_json::{Value, json};

use super::story::Story;

impl Story {
    /// Lets the API server refuse an operation on a resource (`jobs`, `schedules/status`) in the
    /// namespace of the story, by whomever; waits until a probe says that it does.
    pub async fn refuse(&self, operation: &str, group: &str, resource: &str, probe: impl AsyncFn() -> bool) {
        let name = self.policy_name();
        let metadata = json!({"name": name});
        let rule =
            json!({"apiGroups": [group], "apiVersions": ["*"], "resources": [resource], "operations": [operation]});
        let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": self.namespace}});
        let api_version = "admissionregistration.k8s.io/v1";
        let policy = json!({"apiVersion": api_version, "kind": "ValidatingAdmissionPolicy", "metadata": metadata, "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule], "namespaceSelector": selector},
            "validations": [{"expression": "false", "message": "the house rules say no"}],
        }});
        let binding = json!({"apiVersion": api_version, "kind": "ValidatingAdmissionPolicyBinding", "metadata": metadata, "spec": {
            "policyName": name, "validationActions": ["Deny"],
        }});
        for object in [policy, binding] {
            self.apply(&object.to_string()).await;
        }
        self.until("the policy is in force", async || probe().await.then_some(())).await;
    }

    /// Takes that policy away.
    pub async fn allow(&self) {
        self.delete("ValidatingAdmissionPolicyBinding", &self.policy_name()).await;
        self.delete("ValidatingAdmissionPolicy", &self.policy_name()).await;
    }

    /// Lets the API server refuse every write of a Schedule's status.
    pub async fn refuse_status_writes(&self, schedule: &str) {
        let probe = async || {
            self.try_patch(
                "Schedule",
                &format!("{schedule}/status"),
                "dryRun=All",
                json!({"status": {"activeRuns": 0}}),
            )
            .await
            .is_err()
        };
        self.refuse("UPDATE", "punctual.dev", "schedules/status", probe).await;
    }

    /// Lets the API server refuse every new Job.
    pub async fn refuse_jobs(&self) {
        let container = json!({"name": "main", "image": "example/work:1"});
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "probe"}, "spec": {
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}});
        self.refuse("CREATE", "batch", "jobs", async || self.try_create(&job).await.is_err()).await;
    }

    async fn try_create(&self, object: &Value) -> Result<Value, String> {
        self.try_apply_with(&object.to_string(), "dryRun=All").await
    }

    fn policy_name(&self) -> String {
        format!("house-rules.{}", self.namespace)
    }
}
