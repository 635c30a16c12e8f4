//! The script: what users do to the Schedules and what happens to the replicas and the API server,
//! all of it by the seed.

mod plan;
mod replicas;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::accountant::{Disturbance, Facts};
use super::specs::{self, Dice};
use super::{Options, log};
use crate::harness::{Story, now};
use plan::Act;
use replicas::Replicas;

/// The last stretch, in which nothing goes wrong any more.
const CALM: Duration = Duration::from_secs(75);
/// How often frozen, ended and paused things are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// What the report counts of what was done on purpose.
pub const KINDS: &[&str] =
    &[plan::KILL, plan::FREEZE, plan::STOP, plan::KILL_API_SERVER, plan::RESTART_API_SERVER, plan::FREEZE_API_SERVER];

/// What `devcluster up` is told, so that the accountant finds in one file what it asks for.
pub fn api_server_flags() -> Vec<String> {
    let policy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("soak-audit-policy.yaml");
    std::fs::write(&policy, log::POLICY).unwrap();
    let megabytes = 1_000_000;
    vec![
        format!("--apiserver-arg=--audit-policy-file={}", policy.display()),
        format!("--apiserver-arg=--audit-log-maxsize={megabytes}"),
    ]
}

/// The play as it goes on.
struct Script<'a> {
    story: &'a Story,
    dice: Dice,
    begin: Instant,
    replicas: Replicas,
    /// As users last wrote them.
    schedules: BTreeMap<String, Value>,
    /// When paused Schedules are resumed.
    resumes: Vec<(Instant, String)>,
    disturbances: Vec<Disturbance>,
    /// How many objects were made, for their names.
    made: usize,
}

/// Plays it; answers what was done.
pub async fn play(story: &Story, options: Options) -> Facts {
    let mut dice = Dice::new(options.seed);
    let length = Duration::from_secs(options.minutes * 60);
    let acts = plan::acts(&mut dice, length - CALM);
    let mut script = Script {
        story,
        dice,
        begin: Instant::now(),
        replicas: Replicas::start(story, options.seed).await,
        schedules: BTreeMap::new(),
        resumes: Vec::new(),
        disturbances: Vec::new(),
        made: 0,
    };
    for _ in 0..options.schedules {
        script.create().await;
    }
    for (at, act) in acts {
        script.until(at).await;
        script.act(act).await;
    }
    script.calm(length).await
}

impl Script<'_> {
    fn tell(&self, what: &str) {
        eprintln!("{:>8.1} s  {what}", self.begin.elapsed().as_secs_f64());
    }

    /// Waits until so long after the begin, and does meanwhile what comes due.
    async fn until(&mut self, at: Duration) {
        while self.begin.elapsed() < at {
            self.replicas.tend(self.story).await;
            let due = |it: &&(Instant, String)| it.0 <= Instant::now();
            for (_, name) in self.resumes.iter().filter(due).cloned().collect::<Vec<_>>() {
                self.resume(&name).await;
            }
            self.resumes.retain(|it| it.0 > Instant::now());
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Kill | Act::Freeze(_) | Act::Stop => self.disturb_replica(act).await,
            Act::ApiServer(what, seconds) => self.disturb_api_server(what, seconds).await,
            Act::Pause { seconds, ends_by_itself } => self.pause(seconds, ends_by_itself).await,
            Act::EditTrigger => {
                let trigger = specs::trigger(&mut self.dice, now());
                self.edit("trigger", |_, spec| spec["trigger"] = trigger).await;
            }
            Act::Edit => self.edit("another field", |dice, spec| specs::edit(dice, now(), spec)).await,
            Act::Run => self.run().await,
            Act::Replace => {
                let name = self.any();
                self.schedules.remove(&name);
                self.delete(&name).await;
                self.create().await;
            }
        }
    }

    async fn disturb_replica(&mut self, act: Act) {
        let holder = self.kubectl(&["get", "lease", "punctual", "-o", "jsonpath={.spec.holderIdentity}"]);
        let begin = now();
        let Some((what, name, length)) = self.replicas.disturb(act, &holder.unwrap_or_default()).await else {
            return;
        };
        self.tell(&format!("{what}: {name} for {length:?}"));
        let end = begin + SignedDuration::try_from(length).unwrap();
        self.disturbances.push(Disturbance { begin, end, what: what.into(), is_of_api_server: false });
    }

    async fn disturb_api_server(&mut self, what: &'static str, seconds: u64) {
        self.tell(&format!("{what} for {seconds} s"));
        let (begin, cluster) = (now(), self.story.cluster);
        match what {
            plan::KILL_API_SERVER => {
                cluster.signal("kube-apiserver", "KILL");
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                cluster.restart("kube-apiserver");
            }
            plan::RESTART_API_SERVER => cluster.restart("kube-apiserver"),
            _ => {
                cluster.signal("kube-apiserver", "STOP");
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                cluster.signal("kube-apiserver", "CONT");
            }
        }
        self.disturbances.push(Disturbance { begin, end: now(), what: what.into(), is_of_api_server: true });
        cluster.wake_node();
    }

    async fn create(&mut self) {
        self.made += 1;
        let name = format!("soak-{:04}", self.made);
        let schedule = specs::schedule(&mut self.dice, &name, now());
        self.apply(&schedule).await;
        self.schedules.insert(name, schedule);
    }

    async fn run(&mut self) {
        self.made += 1;
        let (name, schedule) = (format!("run-{:04}", self.made), self.any());
        let spec = json!({"scheduleName": schedule, "reason": "soak"});
        self.apply(&json!({"apiVersion": "punctual.dev/v1alpha1", "kind": "ScheduleRun", "metadata": {"name": name}, "spec": spec})).await;
    }

    async fn pause(&mut self, seconds: u64, ends_by_itself: bool) {
        let name = self.any();
        let end = now() + SignedDuration::from_secs(i64::try_from(seconds).unwrap());
        let until = end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let later = if ends_by_itself { seconds + 30 } else { seconds };
        self.resumes.push((Instant::now() + Duration::from_secs(later), name.clone()));
        self.change(&name, |_, spec| {
            spec["paused"] = json!(true);
            spec["pauseReason"] = json!("soak");
            if ends_by_itself {
                spec["pauseUntil"] = json!(until);
            }
        })
        .await;
    }

    async fn resume(&mut self, name: &str) {
        if self.schedules.contains_key(name) {
            self.change(name, |_, spec| {
                let spec = spec.as_object_mut().unwrap();
                spec.retain(|field, _| !field.starts_with("pause") || field == "pauseAfterFailures");
            })
            .await;
        }
    }

    async fn edit(&mut self, what: &str, edit: impl FnOnce(&mut Dice, &mut Value)) {
        let name = self.any();
        self.tell(&format!("edit of {what} of {name}"));
        self.change(&name, edit).await;
    }

    async fn change(&mut self, name: &str, edit: impl FnOnce(&mut Dice, &mut Value)) {
        let mut schedule = self.schedules[name].clone();
        edit(&mut self.dice, &mut schedule["spec"]);
        self.apply(&schedule).await;
        self.schedules.insert(name.to_owned(), schedule);
    }

    /// Right after an API server's start a request may fail.
    async fn apply(&self, object: &Value) {
        let manifest = object.to_string();
        let what = format!("{} is applied", object["metadata"]["name"]);
        self.story
            .until(&what, async || {
                let end = self.story.try_apply(&manifest).await;
                end.inspect_err(|refusal| self.tell(&format!("{what} in vain: {refusal}"))).ok()
            })
            .await;
    }

    async fn delete(&self, name: &str) {
        let arguments = ["delete", "schedule", name, "--ignore-not-found", "--wait=false"];
        self.story.until(&format!("{name} is deleted"), async || self.kubectl(&arguments)).await;
        self.tell(&format!("deleted {name}"));
    }

    /// What `kubectl` prints, unless it fails.
    fn kubectl(&self, arguments: &[&str]) -> Option<String> {
        let output = self.story.kubectl(arguments, "");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn any(&mut self) -> String {
        let names: Vec<String> = self.schedules.keys().cloned().collect();
        self.dice.pick(&names).clone()
    }

    /// The rest of the time all is well; then the operators are told to end.
    async fn calm(mut self, length: Duration) -> Facts {
        self.tell("calm");
        self.replicas.thaw_all();
        for (_, name) in std::mem::take(&mut self.resumes) {
            self.resume(&name).await;
        }
        self.until(length).await;
        let cut = now();
        self.tell("the end");
        self.replicas.stop_all().await;
        Facts {
            disturbances: self.disturbances,
            cut,
            renew_deadline: replicas::RENEW_DEADLINE,
            grace: SignedDuration::from_secs(15),
        }
    }
}
