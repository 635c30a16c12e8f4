//! Where everything is measured: one control plane, without the parts that would only add noise,
//! and an operator's account as the chart gives it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use http::Method;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use super::Try;
use super::options::Options;
use super::process::{run, usage};

/// Where the Schedules, CronJobs and Jobs are.
pub const NAMESPACE: &str = "bench";
/// Where the operator's account and its leader Lease are.
pub const OPERATOR_NAMESPACE: &str = "punctual";
/// Of the chart, what is installed for an operator that runs as a process here.
const WANTED: &[&str] = &[
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];
/// Parts of the control plane that nothing here needs: no Job ever has a Pod.
const NOT_NEEDED: &[&str] = &["kube-controller-manager", "kube-scheduler", "simulated-node"];

/// The control plane, and how to reach it.
pub struct Lab {
    /// Its files, and the logs of what is started here.
    pub dir: PathBuf,
    /// A client of the administrator, without automatic retries.
    pub client: Client,
    /// The operator that is measured.
    pub operator: PathBuf,
    /// More arguments for it.
    pub operator_args: Vec<String>,
    /// The program that holds all of Kubernetes.
    pub kubernetes: PathBuf,
    /// How it was run as the controller-manager.
    pub controller_manager: Vec<String>,
    server: String,
    authority: String,
}

impl Lab {
    /// Brings it up. It goes when this is dropped, and with this process at the latest.
    pub async fn set_up(options: &Options) -> Try<Self> {
        let all = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench");
        remove_leftovers(&all);
        let dir = all.join(std::process::id().to_string());
        std::fs::create_dir_all(&dir)?;
        println!("bringing up a control plane in {}", dir.display());
        let parent = std::process::id().to_string();
        let mut up = devcluster("up", &dir);
        run(up.args(["--node", "simulated", "--detach", "--die-with-parent", "--parent-pid", &parent]))?;
        let kubeconfig = dir.join("admin.kubeconfig");
        let read: Value = serde_saphyr::from_str(&std::fs::read_to_string(&kubeconfig)?)?;
        let text = |key: &str| read["clusters"][0]["cluster"][key].as_str().unwrap_or_default().to_owned();
        let lab = Self {
            client: client(&kubeconfig).await?,
            operator: options.operator.clone(),
            operator_args: options.operator_args.split_whitespace().map(str::to_owned).collect(),
            kubernetes: run(Command::new(root().join("devcluster/devcluster")).arg("path"))?.trim().into(),
            controller_manager: command_line(pid_of(&dir, "kube-controller-manager")?)?,
            server: text("server"),
            authority: text("certificate-authority-data"),
            dir,
        };
        for component in NOT_NEEDED {
            run(devcluster("kill", &lab.dir).arg(component))?;
        }
        lab.install(&options.chart_values)?;
        Ok(lab)
    }

    fn install(&self, chart_values: &str) -> Try<()> {
        let crd = self.dir.join("crd.yaml");
        std::fs::write(&crd, run(Command::new(&self.operator).arg("crd"))?)?;
        let mut manifests = String::new();
        for namespace in [NAMESPACE, OPERATOR_NAMESPACE] {
            manifests += &format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n---\n");
        }
        let mut helm = Command::new(self.dir.join("bin/helm"));
        helm.args(["template", "punctual"]).arg(root().join("charts/punctual"));
        let chart = run(helm.args(["--namespace", OPERATOR_NAMESPACE, "--set", chart_values]))?;
        let is_wanted = |it: &&str| WANTED.iter().any(|kind| it.lines().any(|line| line == format!("kind: {kind}")));
        manifests += &chart.split("\n---\n").filter(is_wanted).collect::<Vec<_>>().join("\n---\n");
        let file = self.dir.join("manifests.yaml");
        std::fs::write(&file, manifests)?;
        run(self.kubectl().args(["apply", "--server-side", "-f"]).arg(&crd))?;
        // Not `--for=condition`: that fails where there is no condition at all yet.
        let is_established = r#"--for=jsonpath={.status.conditions[?(@.type=="Established")].status}=True"#;
        run(self.kubectl().args(["wait", is_established, "--timeout=60s", "-f"]).arg(&crd))?;
        run(self.kubectl().args(["apply", "--server-side", "-f"]).arg(&file))?;
        Ok(())
    }

    fn kubectl(&self) -> Command {
        let mut command = Command::new(self.dir.join("bin/kubectl"));
        command.arg("--kubeconfig").arg(self.dir.join("admin.kubeconfig"));
        command
    }

    /// A file by which the operator is what the chart makes it: its account, and no more.
    pub async fn operator_kubeconfig(&self) -> Try<PathBuf> {
        let uri = format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/serviceaccounts/punctual/token");
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86_400}});
        let answer = self.send(Method::POST, &uri, &request).await?;
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": self.server, "certificate-authority-data": self.authority}}],
            "users": [{"name": "it", "user": {"token": answer["status"]["token"]}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": OPERATOR_NAMESPACE}}],
        });
        let file = self.dir.join("operator.kubeconfig");
        std::fs::write(&file, config.to_string())?;
        Ok(file)
    }

    /// Sends a request as the administrator.
    pub async fn send(&self, method: Method, uri: &str, body: &Value) -> Try<Value> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = http::Request::builder().method(method).uri(uri).header("content-type", "application/json");
        Ok(self.client.request(request.body(body)?).await.map_err(|error| format!("{uri}: {error}"))?)
    }

    /// Removes every object that a measurement may have left.
    pub async fn clean(&self) -> Try<()> {
        let collections = [
            "/apis/punctual.dev/v1alpha1/namespaces/bench/schedules",
            "/apis/batch/v1/namespaces/bench/cronjobs",
            "/apis/batch/v1/namespaces/bench/jobs",
            "/apis/coordination.k8s.io/v1/namespaces/bench/leases",
            "/apis/events.k8s.io/v1/namespaces/bench/events",
        ];
        for uri in collections {
            // It gives up after a minute; what is left goes with the next.
            while self.count(uri).await? > 0 {
                drop(self.send(Method::DELETE, uri, &json!({"propagationPolicy": "Background"})).await);
            }
        }
        Ok(())
    }

    /// How many objects there are in a collection.
    pub async fn count(&self, uri: &str) -> Try<usize> {
        let list = self.send(Method::GET, &format!("{uri}?limit=1"), &Value::Null).await?;
        let left = list["metadata"]["remainingItemCount"].as_u64().unwrap_or_default();
        let here = list["items"].as_array().map_or(0, Vec::len);
        Ok(here + usize::try_from(left)?)
    }

    /// The processor time that the API server and its etcd have used so far, in seconds.
    pub fn api_server_cpu_seconds(&self) -> Try<f64> {
        let of = |component| Try::Ok(usage(pid_of(&self.dir, component)?)?.cpu_seconds);
        Ok(of("kube-apiserver")? + of("etcd")?)
    }

    /// On what it was measured.
    pub async fn machine(&self) -> Try<Value> {
        let first = |file: &str, name: &str| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split(':').next_back().unwrap_or_default().trim().to_owned()
        };
        let version = self.client.apiserver_version().await?;
        let revision = run(Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(root()));
        Ok(json!({
            "processor": first("/proc/cpuinfo", "model name"),
            "cores": std::thread::available_parallelism()?.get(),
            "memory": first("/proc/meminfo", "MemTotal"),
            "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
            "kubernetes": version.git_version,
            "punctual": run(Command::new(&self.operator).arg("--version"))?.trim(),
            "revision": revision.unwrap_or_default().trim(),
            "operatorArguments": self.operator_args,
        }))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Err(error) = run(&mut devcluster("down", &self.dir)) {
            eprintln!("bench: {error}");
        }
    }
}

/// A client for a kubeconfig, set up as the operator sets up its own.
pub async fn client(kubeconfig: &Path) -> Try<Client> {
    let read = Kubeconfig::read_from(kubeconfig)?;
    let mut config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = None;
    Ok(Client::try_from(config)?)
}

/// The checkout.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn devcluster(command: &str, dir: &Path) -> Command {
    let mut program = Command::new(root().join("devcluster/devcluster"));
    program.arg(command).arg("--dir").arg(dir);
    program
}

fn pid_of(dir: &Path, component: &str) -> Try<u32> {
    Ok(std::fs::read_to_string(dir.join("pids").join(format!("{component}.pid")))?.trim().parse()?)
}

fn command_line(pid: u32) -> Try<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cmdline"))?;
    Ok(text.split('\0').filter(|it| !it.is_empty()).map(str::to_owned).collect())
}

/// Files of earlier runs stay until the next, so that one can look into them.
fn remove_leftovers(all: &Path) {
    for entry in std::fs::read_dir(all).into_iter().flatten().flatten() {
        if !Path::new("/proc").join(entry.file_name()).exists() {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

/// How busy the machine was over the last minute.
pub fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or_default()
}
