//! The kubectl plugin.

use std::io::{self, BufWriter};
use std::process::ExitCode;

use clap::Parser;
use punctual::clock::Clock;
use punctual::plugin::{Arguments, Surroundings, run};
use punctual::time::Slot;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut surroundings = Surroundings {
        input: &mut io::stdin().lock(),
        out: &mut BufWriter::new(io::stdout().lock()),
        err: &mut io::stderr().lock(),
        now: Slot::floor(Clock::system().now()),
    };
    run(&arguments, &mut surroundings)
}
