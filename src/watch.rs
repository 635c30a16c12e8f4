//! The watches: they keep the store fresh, and say which Schedules changed.
//!
//! Slots do not depend on them: a watch that is silent for long costs freshness, never a start.

mod pace;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::ObjectList;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::Notify;

use crate::api::observed::Named;
use crate::api::{ObservedSchedule, ObservedScheduleRun};
use crate::cluster::fault::chain;
use crate::store::job::ObservedJob;
use crate::store::{Key, Listed, Store, key_of, version_of};
use crate::telemetry::Metrics;

/// A watch is renewed after this many seconds, so that one on a dead connection is noticed.
const WATCH_SECONDS: u32 = 45;
/// How often Jobs that are gone and accounted for are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);
/// Objects listed at a time.
const PAGE: u32 = 500;

/// Where the watches look, and where they put what they see.
#[derive(Clone)]
pub struct Watches {
    client: Client,
    namespaces: Vec<String>,
    /// What is known.
    pub store: Arc<Store>,
    /// What is counted.
    pub metrics: Metrics,
    changes: Arc<Changes>,
    listed: Arc<tokio::sync::watch::Sender<usize>>,
}

/// The Schedules that changed since somebody last asked: each once, however often it changed, so
/// that a replica that stands by for days holds no more than one entry for each.
#[derive(Debug, Default)]
struct Changes {
    keys: Mutex<HashSet<Key>>,
    some: Notify,
}

impl Watches {
    /// Watches of the namespaces given, or of all.
    #[must_use]
    pub fn new(client: Client, namespaces: Vec<String>, store: Arc<Store>, metrics: Metrics) -> Self {
        Self {
            client: pace::paced(client),
            namespaces,
            store,
            metrics,
            changes: Arc::default(),
            listed: Arc::new(tokio::sync::watch::channel(0).0),
        }
    }

    /// Whether every watch has listed once.
    #[must_use]
    pub fn are_synced(&self) -> bool {
        *self.listed.borrow() >= self.count()
    }

    /// Completes when every watch has listed once.
    pub async fn synced(&self) {
        // The sender is ours: it cannot be gone.
        let _ = self.listed.subscribe().wait_for(|listed| *listed >= self.count()).await;
    }

    /// The Schedules that changed since this was last asked; waits until there is one.
    pub async fn changed(&self) -> HashSet<Key> {
        loop {
            let keys = std::mem::take(&mut *self.changes.keys.lock().unwrap_or_else(PoisonError::into_inner));
            if !keys.is_empty() {
                return keys;
            }
            self.changes.some.notified().await;
        }
    }

    /// Watches until the process ends.
    pub fn spawn(&self) {
        for namespace in self.scopes() {
            let (watches, scope) = (self.clone(), namespace.clone());
            tokio::spawn(async move { watches.follow_schedules(scope.as_deref()).await });
            let (watches, scope) = (self.clone(), namespace.clone());
            tokio::spawn(async move { watches.follow_schedule_runs(scope.as_deref()).await });
            let watches = self.clone();
            tokio::spawn(async move { watches.follow_jobs(namespace.as_deref()).await });
        }
        let store = self.store.clone();
        tokio::spawn(async move {
            let mut turns = tokio::time::interval(FORGET_EVERY);
            loop {
                turns.tick().await;
                store.forget_what_is_over();
            }
        });
    }

    /// How many watches there are.
    fn count(&self) -> usize {
        3 * self.namespaces.len().max(1)
    }

    /// One consistent list of everything, by metadata only; what is newer than the store is read
    /// whole. A leader does this before its first decision: its watches may lag behind the writes
    /// of the leader before it.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn catch_up(&self) -> kube::Result<()> {
        for namespace in self.scopes() {
            let mut listed = self.store.begin_schedules(namespace.as_deref());
            for found in self.metadata::<ObservedSchedule>(namespace.as_deref()).await? {
                let key = Key { namespace: found.namespace.unwrap_or_default(), name: found.name.unwrap_or_default() };
                listed.saw(&key.namespace, &key.name);
                if self.store.version_of_schedule(&key) != Some(version_of(&found.resource_version)) {
                    self.refresh_schedule(&key).await?;
                }
            }
            self.tell(self.store.end_schedules(&listed));

            let mut listed = self.store.begin_schedule_runs(namespace.as_deref());
            for found in self.metadata::<ObservedScheduleRun>(namespace.as_deref()).await? {
                let key = Key { namespace: found.namespace.unwrap_or_default(), name: found.name.unwrap_or_default() };
                listed.saw(&key.namespace, &key.name);
                if self.store.version_of_schedule_run(&key) != Some(version_of(&found.resource_version)) {
                    self.refresh_schedule_run(&key).await?;
                }
            }
            self.tell(self.store.end_schedule_runs(&listed));

            let mut listed = self.store.begin_jobs(namespace.as_deref());
            for found in self.metadata::<ObservedJob>(namespace.as_deref()).await? {
                let version = version_of(&found.resource_version);
                let owners = found.owner_references.unwrap_or_default();
                let (namespace, name) = (found.namespace.unwrap_or_default(), found.name.unwrap_or_default());
                listed.saw(&namespace, &name);
                let known = self.store.version_of_job(&namespace, &name);
                let is_ours = owners.iter().any(|owner| owner.controller == Some(true) && owner.kind == "Schedule");
                if is_ours && known != Some((found.uid.unwrap_or_default(), version)) {
                    self.refresh_job(&namespace, &name).await?;
                }
            }
            self.tell(self.store.end_jobs(&listed));
        }
        Ok(())
    }

    async fn refresh_schedule(&self, key: &Key) -> kube::Result<()> {
        let api: Api<ObservedSchedule> = Api::namespaced(self.client.clone(), &key.namespace);
        match api.get_opt(&key.name).await? {
            Some(schedule) => drop(self.store.put_schedule(schedule)),
            None => self.forget_schedule(key),
        }
        Ok(())
    }

    async fn refresh_schedule_run(&self, key: &Key) -> kube::Result<()> {
        let api: Api<ObservedScheduleRun> = Api::namespaced(self.client.clone(), &key.namespace);
        match api.get_opt(&key.name).await? {
            Some(run) => drop(self.store.put_schedule_run(&run)),
            None => self.store.lose_schedule_run(key),
        }
        Ok(())
    }

    async fn refresh_job(&self, namespace: &str, name: &str) -> kube::Result<()> {
        let api: Api<ObservedJob> = Api::namespaced(self.client.clone(), namespace);
        match api.get_opt(name).await? {
            Some(job) => drop(self.store.put_job(&job)),
            None => self.store.lose_job(namespace, name),
        }
        Ok(())
    }

    /// The metadata of all objects of a kind, as of now.
    async fn metadata<K: kube::Resource<DynamicType = ()>>(
        &self,
        namespace: Option<&str>,
    ) -> kube::Result<Vec<ObjectMeta>> {
        let list = kube::core::Request::new(K::url_path(&(), namespace));
        let mut parameters = kube::api::ListParams::default().limit(PAGE);
        let mut all = Vec::new();
        loop {
            let request = list.list_metadata(&parameters).map_err(kube::Error::BuildRequest)?;
            let page: ObjectList<Named> = self.client.request(request).await?;
            all.extend(page.items.into_iter().map(|it| it.metadata));
            match page.metadata.continue_.filter(|it| !it.is_empty()) {
                Some(token) => parameters.continue_token = Some(token),
                None => return Ok(all),
            }
        }
    }

    async fn follow_schedules(&self, namespace: Option<&str>) {
        let mut listed = Listed::default();
        let mut first = true;
        let mut events = watcher(self.api::<ObservedSchedule>(namespace), config()).default_backoff().boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed = self.store.begin_schedules(namespace),
                Ok(Event::InitApply(schedule)) => {
                    let key = key_of(&schedule);
                    listed.saw(&key.namespace, &key.name);
                    self.take_in(schedule);
                }
                Ok(Event::InitDone) => {
                    self.tell(self.store.end_schedules(&std::mem::take(&mut listed)));
                    if std::mem::take(&mut first) {
                        self.listed.send_modify(|listed| *listed += 1);
                    }
                }
                Ok(Event::Apply(schedule)) => self.take_in(schedule),
                Ok(Event::Delete(schedule)) => {
                    let key = key_of(&schedule);
                    self.store.remove_schedule(&key, &schedule.uid().unwrap_or_default());
                    self.tell([key]);
                }
                Err(error) => self.restarted("schedules", &error),
            }
        }
    }

    async fn follow_schedule_runs(&self, namespace: Option<&str>) {
        let mut listed = Listed::default();
        let mut first = true;
        let mut events = watcher(self.api::<ObservedScheduleRun>(namespace), config()).default_backoff().boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed = self.store.begin_schedule_runs(namespace),
                Ok(Event::InitApply(run)) => {
                    listed.saw(&run.namespace().unwrap_or_default(), &run.name_any());
                    self.tell(self.store.put_schedule_run(&run));
                }
                Ok(Event::InitDone) => {
                    self.tell(self.store.end_schedule_runs(&std::mem::take(&mut listed)));
                    if std::mem::take(&mut first) {
                        self.listed.send_modify(|listed| *listed += 1);
                    }
                }
                Ok(Event::Apply(run)) => self.tell(self.store.put_schedule_run(&run)),
                Ok(Event::Delete(run)) => {
                    let key = Key { namespace: run.namespace().unwrap_or_default(), name: run.name_any() };
                    self.tell(self.store.remove_schedule_run(&key, &run.uid().unwrap_or_default()));
                }
                Err(error) => self.restarted("scheduleruns", &error),
            }
        }
    }

    async fn follow_jobs(&self, namespace: Option<&str>) {
        let mut listed = Listed::default();
        let mut first = true;
        let mut events = watcher(self.api::<ObservedJob>(namespace), config()).default_backoff().boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed = self.store.begin_jobs(namespace),
                Ok(Event::InitApply(job)) => {
                    listed.saw(&job.namespace().unwrap_or_default(), &job.name_any());
                    self.tell(self.store.put_job(&job));
                }
                Ok(Event::InitDone) => {
                    self.tell(self.store.end_jobs(&std::mem::take(&mut listed)));
                    if std::mem::take(&mut first) {
                        self.listed.send_modify(|listed| *listed += 1);
                    }
                }
                Ok(Event::Apply(job)) => self.tell(self.store.put_job(&job)),
                Ok(Event::Delete(job)) => self.tell(self.store.remove_job(&job)),
                Err(error) => self.restarted("jobs", &error),
            }
        }
    }

    fn take_in(&self, schedule: ObservedSchedule) {
        let key = self.store.put_schedule(schedule);
        self.tell([key]);
    }

    fn forget_schedule(&self, key: &Key) {
        if let Some(known) = self.store.schedule(key) {
            self.store.remove_schedule(key, &known.uid().unwrap_or_default());
        }
    }

    fn tell(&self, keys: impl IntoIterator<Item = Key>) {
        self.changes.keys.lock().unwrap_or_else(PoisonError::into_inner).extend(keys);
        self.changes.some.notify_one();
    }

    fn restarted(&self, resource: &'static str, error: &watcher::Error) {
        self.metrics.watch_restarted(resource);
        tracing::warn!(resource, error = chain(error), "a watch was interrupted; it is taken up again");
    }

    fn scopes(&self) -> Vec<Option<String>> {
        if self.namespaces.is_empty() { vec![None] } else { self.namespaces.iter().cloned().map(Some).collect() }
    }

    fn api<K>(&self, namespace: Option<&str>) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        match namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }
}

fn config() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_SECONDS).page_size(PAGE)
}
