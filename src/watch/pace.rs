//! The pace at which watches are opened, and how long a list is waited for.
//!
//! A watch that ends without a word is opened again at once, which is right as long as it lived for
//! a while. A server, or what stands before it, that ends each as soon as it begins would make a
//! storm of that. And a list on a connection that is dead without anybody knowing would hold up a
//! replica that has just begun for as long as a watch may be silent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Request;
use kube::Client;
use kube::client::Body;
use tokio::time::{Instant, sleep_until, timeout};

/// From the beginning of a watch to the beginning of the next of the same kind, at least.
const BETWEEN: Duration = Duration::from_secs(1);

/// For the beginning of an answer to anything but a watch.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client that does not open watches faster than that, nor waits longer for anything else.
pub(super) fn paced(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let pace = Arc::new(Pace::default());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, turn) = (client.clone(), pace.turn_of(&request));
        async move {
            let Some(turn) = turn else {
                let no_answer = || kube::Error::Service(format!("no answer within {} s", PATIENCE.as_secs()).into());
                return timeout(PATIENCE, client.send(request)).await.unwrap_or_else(|_| Err(no_answer()));
            };
            sleep_until(turn).await;
            client.send(request).await
        }
    });
    Client::new(service, namespace)
}

/// When the last watch of each kind was opened, or is to be.
#[derive(Default)]
struct Pace(Mutex<HashMap<String, Instant>>);

impl Pace {
    /// When a request may be sent, if not at once.
    fn turn_of(&self, request: &Request<Body>) -> Option<Instant> {
        if !request.uri().query().is_some_and(|it| it.contains("watch=true")) {
            return None;
        }
        let mut opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = opened.get(request.uri().path()).copied();
        let turn = last.map_or_else(Instant::now, |last| Instant::now().max(last + BETWEEN));
        opened.insert(request.uri().path().to_owned(), turn);
        Some(turn)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use http::{Request, Response};
    use kube::Client;
    use kube::client::Body;
    use tokio::time::Instant;

    use super::paced;

    #[tokio::test(start_paused = true)]
    async fn a_watch_waits_for_a_second_since_the_last_one_and_nothing_else_waits() {
        let ends_at_once =
            tower::service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
        let client = paced(Client::new(ends_at_once, "default"));
        let began = Instant::now();
        let ask = async |uri: &str| {
            let request = Request::get(uri).body(Body::empty()).expect("a request");
            client.send(request).await.expect("an answer");
            began.elapsed()
        };
        assert_eq!(ask("/jobs?watch=true").await, Duration::ZERO);
        assert_eq!(ask("/jobs?watch=true").await, Duration::from_secs(1));
        assert_eq!(ask("/jobs?limit=500").await, Duration::from_secs(1));
        assert_eq!(ask("/schedules?watch=true").await, Duration::from_secs(1));
        assert_eq!(ask("/jobs?watch=true").await, Duration::from_secs(2));
        tokio::time::sleep(Duration::from_secs(45)).await;
        assert_eq!(ask("/jobs?watch=true").await, Duration::from_secs(47), "one that lived long is followed at once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_without_an_answer_is_given_up_long_before_a_watch_is() {
        let is_silent =
            tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
        let client = paced(Client::new(is_silent, "default"));
        let began = Instant::now();
        let list = Request::get("/jobs?limit=500").body(Body::empty()).expect("a request");
        assert!(client.send(list).await.is_err());
        assert_eq!(began.elapsed(), Duration::from_secs(20));
        let watch = Request::get("/jobs?watch=true").body(Body::empty()).expect("a request");
        let patient = tokio::time::timeout(Duration::from_secs(50), client.send(watch)).await;
        assert!(patient.is_err(), "it may be silent for as long as it lasts");
    }
}
