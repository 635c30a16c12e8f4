//! The one cluster: it comes with the first story and goes with this process, however that ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

/// A control plane and a simulated node.
#[derive(Debug)]
pub struct Cluster {
    /// Where its files are.
    pub dir: PathBuf,
    /// The manifests of the chart for one release, in a namespace called [`NAMESPACE`].
    pub release: Vec<String>,
    /// `https://127.0.0.1:…`
    pub server: String,
    /// The certificate of its authority, in base64.
    pub authority: String,
}

/// Stands in rendered manifests where the namespace of a story goes.
pub const NAMESPACE: &str = "namespace-of-the-story";

impl Cluster {
    /// The cluster of all stories; brought up when asked for the first time.
    pub fn shared() -> &'static Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(|| {
            remove_leftovers(&root());
            Self::up(&root().join(std::process::id().to_string()), &[])
        })
    }

    /// The only cluster this process needs, with further flags of `devcluster up`.
    pub fn only(name: &str, flags: &[&str]) -> &'static Self {
        let root = root().with_file_name(name);
        remove_leftovers(&root);
        Box::leak(Box::new(Self::up(&root.join(std::process::id().to_string()), flags)))
    }

    /// A further cluster, for a story that breaks it.
    pub fn alone(name: &str, flags: &[&str]) -> &'static Self {
        Box::leak(Box::new(Self::up(&Self::shared().dir.join(name), flags)))
    }

    fn up(dir: &Path, flags: &[&str]) -> Self {
        let dir = dir.to_owned();
        std::fs::create_dir_all(&dir).unwrap();
        let parent = std::process::id().to_string();
        let mut up = devcluster("up", &dir);
        run(up.args(flags).args([
            "--node",
            "simulated",
            "--detach",
            "--audit",
            "--die-with-parent",
            "--parent-pid",
            &parent,
        ]));
        let kubeconfig = dir.join("admin.kubeconfig");
        let read: Value = serde_saphyr::from_str(&std::fs::read_to_string(&kubeconfig).unwrap()).unwrap();
        let text = |key: &str| read["clusters"][0]["cluster"][key].as_str().unwrap().to_owned();
        let mut cluster =
            Self { server: text("server"), authority: text("certificate-authority-data"), dir, release: Vec::new() };
        cluster.install_crd();
        cluster.release = cluster.render_chart();
        cluster
    }

    /// Installs the definitions of the resources.
    pub fn install_crd(&self) {
        let file = self.dir.join("crd.yaml");
        std::fs::write(&file, run(Command::new(env!("CARGO_BIN_EXE_punctual")).arg("crd"))).unwrap();
        run(self.kubectl().args(["apply", "--server-side", "-f"]).arg(&file));
        // Not `--for=condition`: that fails where there is no condition at all yet.
        let is_established = r#"--for=jsonpath={.status.conditions[?(@.type=="Established")].status}=True"#;
        run(self.kubectl().args(["wait", is_established, "--timeout=60s", "-f"]).arg(&file));
    }

    /// All that the chart installs for an operator of one namespace, but for its Deployment and
    /// what belongs to that.
    fn render_chart(&self) -> Vec<String> {
        let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/punctual");
        let watched = format!("watchNamespaces={{{NAMESPACE}}}");
        let mut helm = Command::new(self.dir.join("bin/helm"));
        helm.args(["template", "punctual"]).arg(chart).args(["--namespace", NAMESPACE, "--set", &watched]);
        let all = run(helm.args(["--set", "crds.enabled=false,rbac.userRoles=false"]));
        let wanted =
            ["ServiceAccount", "Role", "RoleBinding", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
        let is_wanted =
            |manifest: &&str| wanted.iter().any(|kind| manifest.lines().any(|line| line == format!("kind: {kind}")));
        let manifests: Vec<String> = all.split("\n---\n").filter(is_wanted).map(str::to_owned).collect();
        assert!(manifests.len() >= 8, "the chart renders too little: {all}");
        manifests
    }

    /// Kills a component of it, or sends it another signal.
    pub fn signal(&self, component: &str, signal: &str) {
        run(devcluster("kill", &self.dir).args([component, signal]));
    }

    /// Starts a component again, and waits until it is ready.
    pub fn restart(&self, component: &str) {
        run(devcluster("restart", &self.dir).arg(component));
    }

    /// Has the simulated node look at its Pods anew: unlike a kubelet it does not try again what was
    /// refused, or not answered, while the API server was away.
    pub fn wake_node(&self) {
        self.restart("simulated-node");
    }

    /// `kubectl`, as the administrator.
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(self.dir.join("bin/kubectl"));
        command.arg("--kubeconfig").arg(self.dir.join("admin.kubeconfig"));
        command
    }

    /// A client of the administrator, to be used in one runtime.
    pub async fn client(&self) -> Client {
        let kubeconfig = Kubeconfig::read_from(self.dir.join("admin.kubeconfig")).unwrap();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Client::try_from(config).unwrap()
    }

    /// Asks etcd itself, as its administrator.
    pub async fn etcd(&self, what: &str, body: &Value) -> Value {
        let pid = std::fs::read_to_string(self.dir.join("pids/etcd.pid")).unwrap();
        let command = std::fs::read_to_string(format!("/proc/{}/cmdline", pid.trim())).unwrap();
        let server = command.split('\0').find_map(|it| it.strip_prefix("--advertise-client-urls=")).unwrap();
        let pki = |file: &str| self.dir.join("pki").join(file);
        let kubeconfig: Kubeconfig = serde_json::from_value(json!({
            "current-context": "it", "users": [{"name": "it", "user": {"client-certificate": pki("etcd-client.crt"), "client-key": pki("etcd-client.key")}}],
            "clusters": [{"name": "it", "cluster": {"server": server, "certificate-authority": pki("ca.crt")}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }))
        .unwrap();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let request = http::Request::post(format!("/v3/{what}")).body(body.to_string().into_bytes()).unwrap();
        Client::try_from(config).unwrap().request(request).await.unwrap()
    }

    /// What every request to the API server left.
    pub fn audit_log(&self) -> PathBuf {
        self.dir.join("audit.log")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster")
}

fn devcluster(command: &str, dir: &Path) -> Command {
    let mut program = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("devcluster/devcluster"));
    program.arg(command).arg("--dir").arg(dir);
    program
}

/// Files of earlier runs stay until the next, so that one can look into them.
fn remove_leftovers(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        if !Path::new("/proc").join(entry.file_name()).exists() {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

/// Runs a program to its end; answers what it wrote.
pub fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{told}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
