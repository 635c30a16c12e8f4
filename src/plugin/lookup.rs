//! Schedules in the cluster, read only.

use std::path::PathBuf;
use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::manifests::{Document, tidy};
use crate::api::Schedule;
use crate::cluster::fault::chain;
use crate::time::quote;

const TIMEOUT: Duration = Duration::from_secs(15);
/// What kubectl calls a Schedule.
const KINDS: [&str; 5] = ["schedule", "schedules", "psched", "schedule.punctual.dev", "schedules.punctual.dev"];

/// Which cluster is meant, as kubectl takes it.
#[derive(clap::Args, Debug, Default)]
pub struct Cluster {
    /// The context of the kubeconfig. Default: the current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The kubeconfig. Default: $KUBECONFIG or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

impl Cluster {
    /// Reads one Schedule.
    ///
    /// # Errors
    ///
    /// A sentence about why it could not be read.
    pub fn schedule(&self, namespace: Option<&str>, name: &str) -> Result<Document, String> {
        let name = without_kind(name)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("failed to begin: {error}"))?;
        runtime.block_on(self.read(namespace, name))
    }

    async fn read(&self, namespace: Option<&str>, name: &str) -> Result<Document, String> {
        let mut config = self.config().await?;
        config.connect_timeout = Some(TIMEOUT);
        config.read_timeout = Some(TIMEOUT);
        let namespace = namespace.unwrap_or(&config.default_namespace).to_owned();
        let server = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| format!("failed to connect: {}", chain(&error)))?;
        let api: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &ApiResource::erase::<Schedule>(&()));
        let object = api.get(name).await.map_err(|error| sentence(&error, &namespace, name, &server))?;
        let object = serde_json::to_value(object).map_err(|error| format!("failed to read {name}: {error}"))?;
        Ok(Document { place: String::new(), object: tidy(object) })
    }

    async fn config(&self) -> Result<Config, String> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let config = match &self.kubeconfig {
            Some(file) => match Kubeconfig::read_from(file) {
                Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await,
                Err(error) => Err(error),
            },
            None => Config::from_kubeconfig(&options).await,
        };
        config.map_err(|error| format!("no cluster: {}; for a manifest use -f FILE", chain(&error)))
    }
}

/// A name, alone or with its kind before it, as kubectl takes it.
fn without_kind(name: &str) -> Result<&str, String> {
    let bare = match name.split_once('/') {
        Some((kind, bare)) if KINDS.contains(&kind) => bare,
        Some((kind, _)) => {
            return Err(format!("{} is no kind of Schedule; expected NAME or schedule/NAME", quote(kind)));
        }
        None => name,
    };
    let is_name = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, '-' | '.');
    if bare.is_empty() || !bare.chars().all(is_name) {
        return Err(format!("{} is no name; expected lower-case letters, digits and dashes", quote(bare)));
    }
    Ok(bare)
}

fn sentence(error: &kube::Error, namespace: &str, name: &str, server: &str) -> String {
    match error {
        kube::Error::Api(status) => match status.code {
            404 if status.message.contains(name) => {
                format!("there is no Schedule {name} in the namespace {namespace}; another one is chosen with -n")
            }
            404 => format!(
                "{server} knows no Schedules: their definition is not installed: kubectl apply --server-side -f crds/"
            ),
            401 => format!("{server} does not know you; log in anew, or choose another --context"),
            403 => format!("you may not read Schedules in the namespace {namespace}: {}", status.message),
            _ => format!("failed to read Schedule {name} in the namespace {namespace}: {}", status.message),
        },
        other => format!("no answer from {server}: {}", chain(other)),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::{sentence, without_kind};

    #[test]
    fn a_name_is_taken_as_kubectl_takes_it_and_nothing_else() {
        assert_eq!(without_kind("report"), Ok("report"));
        assert_eq!(without_kind("psched/report"), Ok("report"));
        for (name, expected) in [
            ("cronjob/report", "expected NAME or schedule/NAME"),
            ("schedule/../report", "\"../report\" is no name"),
            ("Foo Bar", "\"Foo Bar\" is no name"),
            ("", "expected lower-case letters"),
        ] {
            let said = without_kind(name).expect_err("refused");
            assert!(said.contains(expected), "{name:?}: {said}");
        }
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        for (code, message, expected) in [
            (404, "schedules.punctual.dev \"a\" not found", "there is no Schedule a in the namespace b"),
            (404, "the server could not find the requested resource", "knows no Schedules"),
            (401, "Unauthorized", "log in anew"),
            (403, "User \"u\" cannot get resource", "you may not read Schedules in the namespace b: User"),
            (500, "etcdserver: no leader", "failed to read Schedule a in the namespace b: etcdserver"),
        ] {
            let status = Status { code, message: message.into(), ..Status::default() };
            let said = sentence(&kube::Error::Api(Box::new(status)), "b", "a", "https://c");
            assert!(said.contains(expected), "{said}");
        }
    }
}
