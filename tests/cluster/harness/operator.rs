//! The operator as a process: started, frozen, killed.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};

/// One replica. It is killed when this is dropped, and by the kernel when the thread of the story
/// that started it ends.
pub struct Operator {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Operator {
    /// Starts a replica under a kubeconfig. Its log goes to a file beside it, unless what is done to
    /// the command says otherwise.
    pub fn start(name: &str, kubeconfig: &Path, arguments: &[String], prepare: impl FnOnce(&mut Command)) -> Self {
        let log = kubeconfig.with_extension("log");
        let file = std::fs::File::create(&log).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_punctual"), "run"]).args(arguments);
        command.env("KUBECONFIG", kubeconfig).env("POD_NAME", name).env("HOSTNAME", name).env("RUST_BACKTRACE", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).kill_on_drop(true);
        prepare(&mut command);
        Self { name: name.to_owned(), child: command.spawn().unwrap(), log }
    }

    /// The name its identity begins with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// All it has logged.
    pub fn logged(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Ends it as a power cut would.
    pub async fn kill9(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to end, and waits until it did.
    pub async fn sigterm(mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    /// Stops it in its tracks.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on as if nothing had been.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let end = tokio::time::timeout(Duration::from_secs(60), self.child.wait());
        end.await.unwrap_or_else(|_| panic!("{} does not end", self.name)).unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().expect("it is running").to_string();
        let sent = std::process::Command::new("sh").args(["-c", &format!("kill -{signal} {pid}")]).status();
        assert!(sent.unwrap().success(), "signal {signal} to {}", self.name);
    }
}
