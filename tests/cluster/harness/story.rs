//! One story: its namespace, what it applies, what it waits for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::rc::Rc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use http::Method;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::cluster::{Cluster, NAMESPACE, run};
use super::operator::Operator;
use super::proxy::Proxy;
use super::{audit, job_slot, objects, text};

/// How long a condition may take. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often a condition is looked at when nothing is heard of its Jobs.
const LOOK: Duration = Duration::from_millis(100);
/// The flags of every replica: a leader that falls silent is waited for 6 s, Jobs may go at once.
const FLAGS: &str = "--leader-lease-duration=6s --leader-renew-deadline=5s --leader-retry-period=1s --fence=1s --run-lease-duration=10s --log-level=debug";

/// One story.
pub struct Story {
    /// The cluster it takes place on.
    pub cluster: &'static Cluster,
    /// Its namespace, where its release is as well.
    pub namespace: String,
    /// The administrator's client.
    pub client: Client,
    pub(super) begin: u64,
    logs: RefCell<Vec<(String, PathBuf)>>,
    jobs: Rc<Jobs>,
    pub(super) rights_may_lack: RefCell<bool>,
}

/// Every Job there ever was in the namespace, as it was last seen, by UID.
#[derive(Default)]
struct Jobs {
    seen: RefCell<BTreeMap<String, Value>>,
    changed: Notify,
}

impl Story {
    /// Makes the namespace and installs the release there.
    pub async fn begin(cluster: &'static Cluster, namespace: &str) -> Self {
        let story = Self {
            cluster,
            namespace: namespace.to_owned(),
            client: cluster.client().await,
            begin: audit::length(&cluster.audit_log()),
            logs: RefCell::default(),
            jobs: Rc::default(),
            rights_may_lack: RefCell::new(false),
        };
        story.apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}")).await;
        for manifest in &cluster.release {
            story.apply(&manifest.replace(NAMESPACE, namespace)).await;
        }
        story
            .until("the namespace has its default account", async || story.get("ServiceAccount", "default").await)
            .await;
        tokio::task::spawn_local(follow_jobs(story.client.clone(), namespace.to_owned(), story.jobs.clone()));
        story
    }

    /// Starts a replica with the usual flags.
    pub async fn operator(&self, name: &str) -> Operator {
        self.operator_with(name, "", &self.cluster.server).await
    }

    /// Starts a replica with further flags, which override the usual ones, at a server.
    pub async fn operator_with(&self, name: &str, flags: &str, server: &str) -> Operator {
        let kubeconfig = self.kubeconfig(server, json!({"token": self.token(None).await}));
        self.started(self.start(name, flags, &kubeconfig, |_| {})).await
    }

    /// Starts a replica whose credentials are in a file, as in a Pod.
    pub async fn operator_by_token_file(&self, file: &Path) -> Operator {
        let kubeconfig = self.kubeconfig(&self.cluster.server, json!({"tokenFile": file}));
        self.started(self.start("a", "", &kubeconfig, |_| {})).await
    }

    /// Starts a replica that logs into a pipe.
    pub async fn operator_logging_to(&self, pipe: std::io::PipeWriter) -> Operator {
        let kubeconfig = self.kubeconfig(&self.cluster.server, json!({"token": self.token(None).await}));
        self.start("a", "", &kubeconfig, |command| {
            command.stderr(pipe);
        })
    }

    /// Starts a replica in another environment.
    pub async fn operator_in(&self, name: &str, environment: &[(&str, &str)]) -> Operator {
        let kubeconfig = self.kubeconfig(&self.cluster.server, json!({"token": self.token(None).await}));
        let operator = self.start(name, "", &kubeconfig, |command| {
            command.envs(environment.iter().copied());
        });
        self.started(operator).await
    }

    fn start(&self, name: &str, flags: &str, kubeconfig: &str, prepare: impl FnOnce(&mut Command)) -> Operator {
        Operator::start(name, &self.write_kubeconfig(name, kubeconfig), &self.arguments(flags), prepare)
    }

    async fn started(&self, mut operator: Operator) -> Operator {
        self.until("the replica runs", async || {
            assert!(operator.is_running(), "replica {} ended at once: {}", operator.name(), operator.logged());
            operator.logged().contains("punctual begins").then_some(())
        })
        .await;
        operator
    }

    fn write_kubeconfig(&self, name: &str, kubeconfig: &str) -> PathBuf {
        let number = self.logs.borrow().len();
        let file = self.cluster.dir.join(format!("{}-{number}-{name}.kubeconfig", self.namespace));
        std::fs::write(&file, kubeconfig).unwrap();
        self.logs.borrow_mut().push((name.to_owned(), file.with_extension("log")));
        file
    }

    fn arguments(&self, flags: &str) -> Vec<String> {
        let mut arguments: Vec<String> = vec![
            format!("--namespaces={}", self.namespace),
            format!("--lease-namespace={}", self.namespace),
            "--address=127.0.0.1:0".into(),
        ];
        let name_of = |flag: &str| flag.split('=').next().unwrap_or_default().to_owned();
        let further: Vec<&str> = flags.split(' ').filter(|it| !it.is_empty()).collect();
        arguments.extend(FLAGS.split(' ').map(str::to_owned));
        arguments.retain(|it| !further.iter().any(|flag| name_of(flag) == name_of(it)));
        arguments.extend(further.into_iter().map(str::to_owned));
        arguments
    }

    /// Starts those replicas again that have ended, as a kubelet does.
    pub async fn revive(&self, replicas: &mut [Operator]) {
        for replica in replicas {
            if !replica.is_running() {
                *replica = self.operator(&format!("r{}", self.logs.borrow().len())).await;
            }
        }
    }

    /// The API server, as `https://127.0.0.1:…`.
    pub fn server(&self) -> &str {
        &self.cluster.server
    }

    /// The next slot of an interval of so many seconds, in seconds since 1970.
    pub fn next_slot(&self, first: Timestamp, every: i64) -> i64 {
        let since = now().as_second() - first.as_second();
        first.as_second() + (since.div_euclid(every) + 1) * every
    }

    /// A proxy in front of the API server.
    pub fn proxy(&self) -> Proxy {
        Proxy::before(self.cluster)
    }

    /// Applies a manifest; it must be taken.
    pub async fn apply(&self, yaml: &str) -> Value {
        self.try_apply(yaml).await.unwrap_or_else(|refusal| panic!("refused: {refusal}\n{yaml}"))
    }

    /// Applies a manifest, unknown fields being an error; or tells how it was refused.
    pub async fn try_apply(&self, yaml: &str) -> Result<Value, String> {
        self.try_apply_with(yaml, "").await
    }

    /// The same with further parameters of the request.
    pub async fn try_apply_with(&self, yaml: &str, parameters: &str) -> Result<Value, String> {
        let object: Value = serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        let uri = format!(
            "{}?fieldManager=story&force=true&fieldValidation=Strict&{parameters}",
            objects::path(&object, &self.namespace)
        );
        self.send(Method::PATCH, &uri, "application/apply-patch+yaml", &object.to_string())
            .await
            .map_err(|error| error.to_string())
    }

    /// Applies a Schedule: its spec as YAML, and how its simulated Pods end.
    pub async fn schedule(&self, name: &str, spec: &str, pod: &str) -> Value {
        self.apply(&objects::schedule(name, spec, pod)).await
    }

    /// `kubectl` in the namespace of the story, fed with a manifest.
    pub fn kubectl(&self, arguments: &[&str], manifest: &str) -> Output {
        let file = self.cluster.dir.join(format!("{}.yaml", self.namespace));
        std::fs::write(&file, manifest).unwrap();
        let mut command = self.cluster.kubectl();
        command.args(["-n", &self.namespace]).args(arguments);
        if !manifest.is_empty() {
            command.arg("-f").arg(file);
        }
        command.output().unwrap()
    }

    /// `kubectl` in the namespace of the story; it must succeed. Answers what it printed.
    pub fn kubectl_ok(&self, arguments: &[&str]) -> String {
        run(self.cluster.kubectl().args(["-n", &self.namespace]).args(arguments))
    }

    /// Changes an object by a merge patch.
    pub async fn patch(&self, kind: &str, name: &str, patch: Value) -> Value {
        self.try_patch(kind, name, "", patch).await.unwrap()
    }

    /// The same with further parameters of the request.
    pub async fn try_patch(&self, kind: &str, name: &str, parameters: &str, patch: Value) -> kube::Result<Value> {
        let uri = format!("{}?{parameters}", self.path(kind, name));
        self.send(Method::PATCH, &uri, "application/merge-patch+json", &patch.to_string()).await
    }

    /// Deletes an object and what it owns.
    pub async fn delete(&self, kind: &str, name: &str) {
        let options = json!({"propagationPolicy": "Background"}).to_string();
        self.send(Method::DELETE, &self.path(kind, name), "application/json", &options).await.unwrap();
    }

    /// One object, if there is one.
    pub async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        match self.send(Method::GET, &self.path(kind, name), "application/json", "").await {
            Ok(object) => Some(object),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("failed to get {kind} {name}: {error}"),
        }
    }

    /// All objects of a kind.
    pub async fn list(&self, kind: &str) -> Vec<Value> {
        let uri = objects::collection(api_version(kind), kind, &self.namespace);
        let mut list = self.send(Method::GET, &uri, "application/json", "").await.unwrap();
        serde_json::from_value(list["items"].take()).unwrap()
    }

    /// Reads what is at a path of the API server.
    pub async fn raw(&self, path: &str) -> Value {
        self.send(Method::GET, path, "application/json", "").await.unwrap()
    }

    /// Replaces what is at a path of the API server.
    pub async fn put(&self, path: &str, object: &Value) {
        self.send(Method::PUT, path, "application/json", &object.to_string()).await.unwrap();
    }

    fn path(&self, kind: &str, name: &str) -> String {
        format!("{}/{name}", objects::collection(api_version(kind), kind, &self.namespace))
    }

    pub(super) async fn send(&self, method: Method, uri: &str, content_type: &str, body: &str) -> kube::Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let request = http::Request::builder()
                .method(method.clone())
                .uri(uri)
                .header(http::header::CONTENT_TYPE, content_type);
            match self.client.request(request.body(body.as_bytes().to_vec()).unwrap()).await {
                // An API server that was killed comes back; what only reads may be asked again.
                Err(error)
                    if method == Method::GET && !matches!(error, kube::Error::Api(_)) && Instant::now() < deadline =>
                {
                    tokio::time::sleep(LOOK).await;
                }
                answer => return answer,
            }
        }
    }

    /// Waits until a condition answers something.
    pub async fn until<T>(&self, what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
            drop(tokio::time::timeout(LOOK, self.jobs.changed.notified()).await);
        }
    }

    /// Waits until the status of a Schedule is as it should be; answers it.
    pub async fn until_status(&self, name: &str, what: &str, mut condition: impl FnMut(&Value) -> bool) -> Value {
        self.until(what, async || Some(self.status(name).await).filter(|it| condition(it))).await
    }

    /// Waits until a condition of a Schedule has a status and a reason; answers its message.
    pub async fn until_condition(&self, name: &str, type_: &str, status: &str, reason: &str) -> String {
        let what = format!("{name} has the condition {type_}={status}, reason {reason}");
        let is_it = |it: &Value| it["type"] == type_ && it["status"] == status && it["reason"] == reason;
        let found = async || self.status(name).await["conditions"].as_array()?.iter().find(|it| is_it(it)).cloned();
        text(&self.until(&what, found).await, "/message").to_owned()
    }

    /// The status of a Schedule.
    pub async fn status(&self, name: &str) -> Value {
        self.get("Schedule", name).await.map(|mut it| it["status"].take()).unwrap_or_default()
    }

    /// Waits until a Job was created for a slot of a Schedule; answers it as it was last seen.
    pub async fn until_job(&self, schedule: &str, slot: Timestamp) -> Value {
        let what = format!("{schedule} has a Job for its slot {slot}");
        self.until(&what, async || self.jobs_of(schedule).into_iter().find(|job| job_slot(job) == slot.as_second()))
            .await
    }

    /// Every Job there ever was for the slots of a Schedule, oldest slot first.
    pub fn jobs_of(&self, schedule: &str) -> Vec<Value> {
        let mut jobs = self.jobs_seen();
        jobs.retain(|job| {
            text(job, "/metadata/annotations/punctual.dev~1schedule") == schedule
                && job.pointer("/metadata/annotations/punctual.dev~1slot-time").is_some()
        });
        jobs.sort_by_key(job_slot);
        jobs
    }

    /// Every Job there ever was in the namespace.
    pub fn jobs_seen(&self) -> Vec<Value> {
        self.jobs.seen.borrow().values().cloned().collect()
    }

    /// Waits until an instant is over.
    pub async fn until_past(&self, instant: Timestamp) {
        while let Ok(left) = Duration::try_from(instant.duration_since(now())) {
            tokio::time::sleep(left + Duration::from_millis(1)).await;
        }
    }

    /// Waits until one of these replicas leads; answers which.
    pub async fn leader<'a>(&self, replicas: &[&'a Operator]) -> &'a str {
        let names: Vec<&'a str> = replicas.iter().map(|it| it.name()).collect();
        self.until(&format!("one of {names:?} leads"), async || {
            let lease = self.get("Lease", "punctual").await?;
            let holder = text(&lease, "/spec/holderIdentity");
            names.iter().copied().find(|name| holder.starts_with(&format!("{name}_")))
        })
        .await
    }

    /// Rights are withdrawn in this story.
    pub fn lets_rights_lack(&self) {
        self.rights_may_lack.replace(true);
    }

    /// Where each replica logs, by name.
    pub fn log_files(&self) -> Vec<(String, PathBuf)> {
        self.logs.borrow().clone()
    }

    /// What each replica logged, by name.
    pub fn logs(&self) -> Vec<(String, String)> {
        let read = |(name, log): &(String, PathBuf)| (name.clone(), std::fs::read_to_string(log).unwrap_or_default());
        self.logs.borrow().iter().map(read).collect()
    }
}

/// What time it is.
#[expect(clippy::disallowed_methods, reason = "stories are about the real time")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

fn api_version(kind: &str) -> &'static str {
    match kind {
        "Schedule" | "ScheduleRun" => "punctual.dev/v1alpha1",
        "Job" => "batch/v1",
        "Lease" => "coordination.k8s.io/v1",
        "ValidatingAdmissionPolicy" | "ValidatingAdmissionPolicyBinding" => "admissionregistration.k8s.io/v1",
        "Role" | "RoleBinding" => "rbac.authorization.k8s.io/v1",
        _ => "v1",
    }
}

async fn follow_jobs(client: Client, namespace: String, jobs: Rc<Jobs>) {
    let watched = watcher::watcher(Api::<Job>::namespaced(client, &namespace), watcher::Config::default());
    let mut events = watched.default_backoff().applied_objects().into_stream().boxed_local();
    while let Some(event) = events.next().await {
        if let Ok(job) = event {
            let uid = job.metadata.uid.clone().unwrap_or_default();
            jobs.seen.borrow_mut().insert(uid, serde_json::to_value(job).unwrap());
            jobs.changed.notify_waiters();
        }
    }
}

/// The whole second some seconds from now.
pub fn seconds_from_now(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() + seconds).unwrap()
}
