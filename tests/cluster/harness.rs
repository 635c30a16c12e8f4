//! What the stories stand on: one cluster for all of them, and for each a namespace, a release of
//! the chart with its account, and operators that run as processes of their own.
//!
//! A story waits for conditions and never for time to pass, but for the time a slot is due at.

mod audit;
mod cluster;
mod credentials;
mod objects;
mod operator;
mod oracle;
mod policy;
mod proxy;
mod rights;
mod story;
mod telling;
mod tick;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::Semaphore;

pub use audit::Request;
pub use cluster::{Cluster, run};
pub use objects::{is_active, job_slot, schedule, second, text, time};
pub use operator::Operator;
pub use proxy::{Fault, Proxy, is};
pub use rights::documented;
pub use story::{Story, now, seconds_from_now};

/// Stories told at once.
static SEATS: Semaphore = Semaphore::const_new(4);
/// A story that takes longer is stuck; some take a minute on a quiet machine.
const LONGEST: Duration = Duration::from_secs(300);

/// Tells a story on a namespace and a release of its own, then holds it to what is true of all of
/// them: no slot got two Jobs, no right was missing, nothing panicked.
pub fn story(body: impl AsyncFnOnce(&Story)) {
    tell(Cluster::shared, body);
}

/// The same on a cluster of its own, which it may break, brought up with further flags.
pub fn story_alone(name: &str, flags: &[&str], body: impl AsyncFnOnce(&Story)) {
    tell(|| Cluster::alone(name, flags), body);
}

fn tell(cluster: impl FnOnce() -> &'static Cluster, body: impl AsyncFnOnce(&Story)) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let title = std::thread::current().name().unwrap_or("story").to_owned();
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let _seat = SEATS.acquire().await.unwrap();
        let story = Story::begin(cluster(), &format!("story-{number}")).await;
        let begin = Instant::now();
        let told = AssertUnwindSafe(async {
            if tokio::time::timeout(LONGEST, body(&story)).await.is_err() {
                panic!("the story is not over after {LONGEST:?}");
            }
            story.check_what_is_always_true();
        });
        let end = told.catch_unwind().await;
        telling::note(&format!("{:>5.1} s {title} in {}", begin.elapsed().as_secs_f64(), story.namespace));
        if let Err(panic) = end {
            telling::tell(&story);
            std::panic::resume_unwind(panic);
        }
    });
}
