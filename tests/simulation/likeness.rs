//! The model of the API server against a real one: the same random requests to both, and the same
//! answers from both, but for what must differ.
//!
//! `LIKENESS_SEED` and `LIKENESS_REQUESTS` say which and how many.

mod bodies;
// That of the stories: it comes with the first who asks and goes with this process.
#[expect(dead_code, reason = "the stories of tests/cluster need more of it")]
#[path = "../cluster/harness/cluster.rs"]
mod cluster;
mod masks;
mod random;
mod sides;

use jiff::Timestamp;
use masks::Pairs;
use random::Player;
use sides::{Model, Real, Reply};

/// Where all this happens.
const NAMESPACE: &str = "likeness";
/// Where nothing can happen.
const NOWHERE: &str = "nowhere";

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |it| it.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

#[test]
fn the_model_answers_as_a_real_api_server_does() {
    let (seed, requests) = (number("LIKENESS_SEED", 1), number("LIKENESS_REQUESTS", 400));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let real = Real::begin().await;
        let model = Model::begin(seed);
        let mut game = Game { real, model, pairs: Pairs::default(), differences: Vec::new() };
        let mut player = Player::new(seed);
        for _ in 0..requests {
            player.turn(&mut game).await;
        }
        player.look_back(&mut game).await;
        let differences = game.differences;
        assert!(
            differences.is_empty(),
            "LIKENESS_SEED={seed}: {} of {requests} answers differ:\n{}",
            differences.len(),
            differences.join("\n\n"),
        );
    });
}

/// A request, in which `@0@` stands for the first of what is known on both sides by different
/// names: versions and UIDs.
#[derive(Clone, Debug)]
pub struct Move {
    pub method: http::Method,
    pub uri: String,
    pub content_type: &'static str,
    pub accept: &'static str,
    pub body: String,
}

/// Both sides, and what was found.
pub struct Game {
    real: Real,
    model: Model,
    pub pairs: Pairs,
    differences: Vec<String>,
}

impl Game {
    /// Asks both, and compares.
    pub async fn ask(&mut self, request: &Move) -> (Reply, Reply) {
        let real = self.real.ask(&self.pairs.spelled(request, 0)).await;
        let model = self.model.ask(&self.pairs.spelled(request, 1));
        self.compare(request, &real, &model);
        (real, model)
    }

    fn compare(&mut self, request: &Move, real: &Reply, model: &Reply) {
        let mut found = Vec::new();
        if real.code != model.code {
            found.push(format!("code: {} and not {}", real.code, model.code));
        }
        if real.bodies.len() != model.bodies.len() {
            found.push(format!("lines: {} and not {}", real.bodies.len(), model.bodies.len()));
        }
        for (real, model) in real.bodies.iter().zip(&model.bodies) {
            self.pairs.compare(real, model, &mut found);
        }
        if !found.is_empty() {
            let Move { method, uri, body, content_type, .. } = request;
            let told =
                |reply: &Reply| reply.bodies.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n        ");
            let spelled = self.pairs.spelled(request, 0);
            self.differences.push(format!(
                "{method} {uri} {content_type} {body}\n  as {} {}\n  {}\n  real:  {}\n  model: {}",
                spelled.uri,
                spelled.body,
                found.join("\n  "),
                told(real),
                told(model)
            ));
        }
    }
}

/// The time both sides have.
fn now() -> Timestamp {
    punctual::clock::Clock::system().now()
}
