//! Asks the API server what time it is.

use std::time::Duration;

use http::header::DATE;
use http::{Request, StatusCode};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::client::Body;

use super::{Clock, Reading};

/// Longer than this and the answer would say too little about our clock.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The `Date` header cuts off what is below a second.
const HEADER_RESOLUTION: SignedDuration = SignedDuration::from_secs(1);
/// What the standard role `system:discovery` lets every account read; and if a cluster forbids
/// even that, the refusal carries a `Date` as well.
const PATH: &str = "/version";

/// The API server's time beside ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiSample {
    /// Our clocks just before asking.
    pub sent: Reading,
    /// The whole second the API server answered in; none when something on the way takes the
    /// header off, so that no comparison is possible.
    pub date: Option<Timestamp>,
    /// Our clocks just after the answer.
    pub received: Reading,
}

impl ApiSample {
    /// How far our wall clock is surely ahead of the API server's (behind, if negative): half of
    /// the round trip and the header's resolution are given the benefit of the doubt, so zero
    /// means "no difference could be proved". None without a date.
    #[must_use]
    pub fn ahead(&self) -> Option<SignedDuration> {
        let earliest_there = self.date?;
        // It read its clock at some instant between our two readings, so the true difference lies
        // between these two.
        let most = self.received.wall.duration_since(earliest_there);
        let least = self.sent.wall.duration_since(earliest_there).saturating_sub(HEADER_RESOLUTION);
        let (least, most) = (least.min(most), least.max(most));
        Some(SignedDuration::ZERO.clamp(least, most))
    }
}

/// Why no sample could be taken.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// No answer in time.
    #[error("failed to read the API server's time: no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
    /// Whoever answered was too busy or too broken to say the time.
    #[error("failed to read the API server's time: the answer was {0}, without a date")]
    Busy(StatusCode),
    /// The request failed before an answer came.
    #[error("failed to read the API server's time")]
    Request(#[source] Box<kube::Error>),
}

/// Sends one cheap GET and reads the `Date` of the answer, whatever the answer is.
///
/// # Errors
///
/// When no answer came, or one that a gateway may have made up in passing: overload or a failure, without a
/// date. Any other answer without a usable date is a sample without one.
pub async fn api_date(client: &Client, clock: &Clock) -> Result<ApiSample, SampleError> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = http::Uri::from_static(PATH);
    let sent = clock.reading();
    let answer = tokio::time::timeout(TIMEOUT, client.send(request)).await;
    let received = clock.reading();
    let response = answer.map_err(|_| SampleError::Timeout)?.map_err(|error| SampleError::Request(Box::new(error)))?;
    let date = response.headers().get(DATE).and_then(|value| value.to_str().ok()).and_then(parse);
    let status = response.status();
    if date.is_none() && (status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()) {
        return Err(SampleError::Busy(status));
    }
    Ok(ApiSample { sent, date, received })
}

/// An HTTP date in the one form servers may send, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn parse(text: &str) -> Option<Timestamp> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    PARSER.parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;

    use super::*;

    fn reading(seconds: i64, millis: i64) -> Reading {
        let wall = Timestamp::from_millisecond(seconds * 1000 + millis).expect("in range");
        Reading { wall, monotonic: Duration::ZERO }
    }

    fn ahead_millis(sent: Reading, date: i64, received: Reading) -> i128 {
        let date = Timestamp::from_second(date).ok();
        ApiSample { sent, date, received }.ahead().expect("has a date").as_millis()
    }

    #[test]
    fn an_http_date_is_read() {
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT").map(Timestamp::as_second), Some(784_111_777));
        for text in ["", "yesterday", "Sun, 99 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_difference_beyond_round_trip_and_resolution_counts() {
        assert_eq!(ahead_millis(reading(100, 0), 100, reading(100, 20)), 0);
        assert_eq!(ahead_millis(reading(100, 990), 100, reading(101, 10)), 0);
        // Ahead: even if it had answered at once, at the very end of its second.
        assert_eq!(ahead_millis(reading(140, 0), 100, reading(144, 0)), 39_000);
        // Behind: even if the answer had taken all the time to come back.
        assert_eq!(ahead_millis(reading(60, 0), 100, reading(64, 0)), -36_000);
        // Our own clock was set back during the round trip: still a number, never a panic.
        assert_eq!(ahead_millis(reading(100, 0), 100, reading(50, 0)), -1_000);
    }

    fn client_answering(answer: impl axum::handler::Handler<((),), ()>) -> Client {
        Client::new(Router::new().route("/version", get(answer)), "default")
    }

    #[tokio::test(start_paused = true)]
    async fn the_date_of_any_answer_is_taken_a_refusal_included() {
        let clock = Clock::simulated(Timestamp::from_second(784_111_777).expect("in range"));
        let refusal = || async { (http::StatusCode::FORBIDDEN, [(DATE, "Sun, 06 Nov 1994 08:49:37 GMT")]) };
        let sample = api_date(&client_answering(refusal), &clock).await.expect("an answer");
        assert_eq!(sample.ahead(), Some(SignedDuration::ZERO));
        let bare = api_date(&client_answering(|| async { "{}" }), &clock).await.expect("an answer");
        assert_eq!(bare.date, None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_overloaded_gateway_without_a_date_says_nothing_of_the_time() {
        let clock = Clock::simulated(Timestamp::UNIX_EPOCH);
        for code in [StatusCode::TOO_MANY_REQUESTS, StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE] {
            let answer = api_date(&client_answering(move || async move { code }), &clock).await;
            assert!(matches!(answer, Err(SampleError::Busy(it)) if it == code), "{code}: {answer:?}");
        }
        let dated = || async { (StatusCode::SERVICE_UNAVAILABLE, [(DATE, "Thu, 01 Jan 1970 00:00:00 GMT")]) };
        assert!(api_date(&client_answering(dated), &clock).await.expect("an answer").date.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_answer_is_given_up_on() {
        let clock = Clock::simulated(Timestamp::UNIX_EPOCH);
        let silent = || std::future::pending::<&'static str>();
        assert!(matches!(api_date(&client_answering(silent), &clock).await, Err(SampleError::Timeout)));
    }
}
