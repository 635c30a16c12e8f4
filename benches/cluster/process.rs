//! Programs under test: started, watched in `/proc`, ended by their number.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::Serialize;

use super::Try;

/// Ticks of `/proc` in a second: the same on every Linux.
const TICKS: f64 = 100.0;

/// A program that was started here. It is killed when this is dropped, and by the kernel when the
/// benchmark ends in any other way.
pub struct Process(Child);

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Usage {
    /// Processor time, in seconds.
    pub cpu_seconds: f64,
    /// The most memory it ever held, in MB.
    pub peak_rss_mb: f64,
    /// The memory it holds now, in MB.
    pub rss_mb: f64,
    /// Of that, what is not part of a file: its own data.
    pub own_rss_mb: f64,
}

impl Process {
    /// Starts a program; what it says goes to a file.
    pub fn start(program: &Path, arguments: &[String], environment: &[(&str, &str)], log: &Path) -> Try<Self> {
        let file = std::fs::File::create(log)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).args(arguments).envs(environment.iter().copied());
        let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn()?;
        Ok(Self(child))
    }

    /// What it has used so far.
    pub fn usage(&self) -> Try<Usage> {
        usage(self.0.id())
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> Try<bool> {
        Ok(self.0.try_wait()?.is_none())
    }

    /// Ends it as a power cut would.
    pub fn kill9(&mut self) -> Try<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Asks it to end, and does not wait for that.
    pub fn terminate(&self) -> Try<()> {
        let sent = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.0.id())]).status()?;
        if sent.success() { Ok(()) } else { Err(format!("no SIGTERM to {}", self.0.id()).into()) }
    }

    /// Asks it to end if it has not, and waits until it did.
    pub async fn end(&mut self) -> Try<()> {
        if !self.is_running()? {
            return Ok(());
        }
        self.terminate()?;
        for _ in 0..300 {
            if !self.is_running()? {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.kill9()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What a process has used so far.
pub fn usage(pid: u32) -> Try<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold spaces; what follows it does not.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|it| it.parse::<f64>().ok()).unwrap_or_default();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let megabytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|it| it.parse::<f64>().ok()).unwrap_or_default() / 1024.0
    };
    Ok(Usage {
        cpu_seconds: (ticks(11) + ticks(12)) / TICKS,
        peak_rss_mb: megabytes("VmHWM:"),
        rss_mb: megabytes("VmRSS:"),
        own_rss_mb: megabytes("RssAnon:"),
    })
}

/// Runs a program to its end; answers what it wrote.
pub fn run(command: &mut Command) -> Try<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?}: {}\n{told}", output.status).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
