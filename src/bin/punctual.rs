//! The operator.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgAction, Parser, Subcommand};
use kube::{Client, Config};
use punctual::api::crd;
use punctual::cluster::fault::chain;
use punctual::leadership::{self, Timings};
use punctual::operator::{self, Settings};
use punctual::telemetry::logging;
use tikv_jemallocator::Jemalloc;

/// See docs/decisions/0013-jemalloc.md.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Few arenas, and a thread of its own that gives back what is no longer in use: left to itself jemalloc does
/// so only when somebody allocates, and an operator with nothing to do does not.
#[expect(unsafe_code, reason = "jemalloc reads its settings from this symbol, a C string")]
#[unsafe(export_name = "_rjem_malloc_conf")]
static SETTINGS: &[u8; 70] = b"narenas:2,background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0\0";

/// Punctual: a Kubernetes operator that runs Jobs on a schedule.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the operator.
    Run(Box<RunArguments>),
    /// Print the custom resource definitions.
    Crd,
}

#[derive(clap::Args)]
struct RunArguments {
    /// The namespaces to look after, separated by commas. Default: all.
    #[arg(long, value_delimiter = ',')]
    namespaces: Vec<String>,
    /// The namespace of the leader Lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    lease_namespace: String,
    /// The name of the leader Lease. Replicas that share it take turns.
    #[arg(long, default_value = "punctual")]
    lease_name: String,
    /// How long a leader that falls silent is waited for.
    #[arg(long, default_value = "15s", value_parser = duration)]
    leader_lease_duration: Duration,
    /// How long a leader that cannot renew its Lease goes on.
    #[arg(long, default_value = "10s", value_parser = duration)]
    leader_renew_deadline: Duration,
    /// How long between two tries to acquire or renew the leader Lease.
    #[arg(long, default_value = "2s", value_parser = duration)]
    leader_retry_period: Duration,
    /// Whether to keep a Lease beside each active Job.
    #[arg(long, default_value_t = true, action = ArgAction::Set)]
    run_leases: bool,
    /// How long the Lease beside an active Job is.
    #[arg(long, default_value = "120s", value_parser = duration)]
    run_lease_duration: Duration,
    /// No Job is removed before this age: a create request on its way for longer is not guarded against.
    #[arg(long, default_value = "120s", value_parser = duration)]
    fence: Duration,
    /// Requests to the API server in flight at most; a quarter of them for all that is no start of a Job.
    #[arg(long, default_value_t = 64)]
    max_requests_in_flight: usize,
    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    address: SocketAddr,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: logging::Format,
    /// What is logged: a level, or directives such as info,kube_client=debug.
    #[arg(long, default_value = "info")]
    log_level: String,
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed: punctual::api::Duration =
        text.parse().map_err(|error: punctual::api::duration::InvalidDuration| error.to_string())?;
    Ok(Duration::from_secs(parsed.seconds()))
}

fn main() -> ExitCode {
    let end = match Arguments::parse().command {
        Command::Crd => print_crd(),
        Command::Run(arguments) => run(&arguments),
    };
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("punctual: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

type End = Result<(), Box<dyn std::error::Error>>;

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn print_crd() -> End {
    print!("{}---\n{}", crd::yaml(&crd::definition())?, crd::yaml(&crd::run_definition())?);
    Ok(())
}

fn run(arguments: &RunArguments) -> End {
    let _logs = logging::init(arguments.log_format, &arguments.log_level)?;
    let settings = settings(arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut config = Config::infer().await?;
        // A repeated create is for the decision to plan, not for the client.
        config.default_retry = false;
        config.connect_timeout = Some(Duration::from_secs(5));
        // Longer than a watch may be silent: what waits longer waits on a dead connection.
        config.read_timeout = Some(Duration::from_secs(60));
        config.reset_reader_on_write = true;
        let client = Client::try_from(config)?;
        let identity = &settings.leadership.identity;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            identity,
            tzdata = punctual::time::zone_data_version(),
            "punctual begins"
        );
        operator::run(client, settings, told_to_stop()).await?;
        tracing::info!("punctual ends");
        Ok(())
    })
}

fn settings(arguments: &RunArguments) -> Result<Settings, Box<dyn std::error::Error>> {
    let timings =
        Timings::new(arguments.leader_lease_duration, arguments.leader_renew_deadline, arguments.leader_retry_period)?;
    let leadership = leadership::Config {
        name: arguments.lease_name.clone(),
        timings,
        ..leadership::Config::new(arguments.lease_namespace.clone())
    };
    Ok(Settings {
        namespaces: arguments.namespaces.clone(),
        leadership,
        run_lease_duration: arguments.run_leases.then_some(arguments.run_lease_duration),
        fence: arguments.fence,
        max_requests_in_flight: arguments.max_requests_in_flight,
        looks_at_once: operator::LOOKS_AT_ONCE,
        address: arguments.address,
    })
}

/// Completes when the process is asked to end.
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let asked = async |kind| match signal(kind) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(error) => {
            tracing::error!(%error, "a signal cannot be listened for; end the process by SIGKILL");
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = asked(SignalKind::terminate()) => {}
        () = asked(SignalKind::interrupt()) => {}
    }
}
