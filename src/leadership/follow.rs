//! Watches the one Lease, so that a standby hears of a release or a deletion at once. Everything
//! still works without: whoever listens also reads the Lease every retry period.

use std::time::Duration;

use futures::{StreamExt, pin_mut};
use kube::Api;
use kube::api::{WatchEvent, WatchParams};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::wire::LeaseObject;

/// After so long the API server ends the watch, and we open another.
const WATCH_SECONDS: u32 = 45;
/// A watch that is silent for longer than it should have lived is dead.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 5);
/// Between a watch that failed and the next attempt.
const PAUSE: Duration = Duration::from_secs(2);

/// Sends what it sees (none: deleted) until the receiver is gone. `version` is the newest resource version the
/// election has read: where a watch begins, so that it never tells what is older.
pub(super) async fn follow(
    api: Api<LeaseObject>,
    name: String,
    mut version: watch::Receiver<Option<String>>,
    events: mpsc::Sender<Option<LeaseObject>>,
) {
    let params = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(WATCH_SECONDS);
    loop {
        let Ok(start) = version.wait_for(Option::is_some).await.map(|start| start.clone()) else { return };
        let opened = Instant::now();
        match one_watch(&api, &params, start.unwrap_or_default(), &events).await {
            // One that ends as soon as it began would otherwise be opened without end.
            Ok(()) if opened.elapsed() > PAUSE => {}
            Err(Ended::NobodyListens) => return,
            Ok(()) | Err(Ended::Failed) => sleep(PAUSE).await,
        }
    }
}

enum Ended {
    NobodyListens,
    Failed,
}

async fn one_watch(
    api: &Api<LeaseObject>,
    params: &WatchParams,
    start: String,
    events: &mpsc::Sender<Option<LeaseObject>>,
) -> Result<(), Ended> {
    let stream = timeout(SILENCE, api.watch(params, &start)).await;
    let stream = stream.map_err(|_| Ended::Failed)?.map_err(|error| {
        tracing::debug!(error = %error, "the leader Lease cannot be watched; reading it instead");
        Ended::Failed
    })?;
    pin_mut!(stream);
    loop {
        let lease = match timeout(SILENCE, stream.next()).await {
            Err(_) | Ok(Some(Err(_) | Ok(WatchEvent::Error(_)))) => return Err(Ended::Failed),
            Ok(None) => return Ok(()),
            Ok(Some(Ok(WatchEvent::Bookmark(_)))) => continue,
            Ok(Some(Ok(WatchEvent::Added(lease) | WatchEvent::Modified(lease)))) => Some(lease),
            Ok(Some(Ok(WatchEvent::Deleted(_)))) => None,
        };
        if events.send(lease).await.is_err() {
            return Err(Ended::NobodyListens);
        }
    }
}
