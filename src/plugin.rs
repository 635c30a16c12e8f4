//! The kubectl plugin: questions about Schedules, answered by the operator's own code.
//!
//! A command is a file: its arguments, what it does, and how it tells. [`source`] and
//! [`manifests`] get Schedules from files, standard input or the cluster ([`lookup`], which only
//! reads). [`check`] judges one, with [`schema`], [`rules`] and [`identity`] for what the API server
//! refuses and [`surprises`] for what is legal; [`forecast`] and [`clock_changes`] say when it runs, and why.
//! [`simulate`] and [`why`] play what is to come in the world of `crate::simulate`; [`reasons`] knows
//! which field decides.

mod check;
mod clock_changes;
mod forecast;
mod identity;
mod lint;
mod lookup;
mod manifests;
mod moment;
mod next;
mod problem;
mod reasons;
mod rules;
mod schema;
mod simulate;
mod source;
mod strict;
mod surprises;
mod why;

use std::io::{self, Read, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::time::Slot;

/// Questions about Schedules.
#[derive(Parser, Debug)]
#[command(name = "kubectl punctual", bin_name = "kubectl punctual", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Next(next::Next),
    Lint(lint::Lint),
    Simulate(Box<simulate::Simulate>),
    Why(why::Why),
}

/// How an answer looks.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// What a command has to do with: its streams, and the time.
pub struct Surroundings<'a> {
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// Answers.
    pub out: &'a mut dyn Write,
    /// What keeps from answering.
    pub err: &'a mut dyn Write,
    /// What time it is.
    pub now: Slot,
}

/// How a command ended: its exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Clean = 0,
    Problems = 1,
    Unusable = 2,
}

/// Does what is asked for.
pub fn run(arguments: &Arguments, surroundings: &mut Surroundings<'_>) -> ExitCode {
    let end = match &arguments.command {
        Command::Next(next) => next.run(surroundings),
        Command::Lint(lint) => lint.run(surroundings),
        Command::Simulate(simulate) => simulate.run(surroundings),
        Command::Why(why) => why.run(surroundings),
    };
    match end.and_then(|status| surroundings.out.flush().map(|()| status)) {
        Ok(status) => ExitCode::from(status as u8),
        // Whoever reads the answer has read enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(surroundings.err, "failed to write the answer: {error}");
            ExitCode::from(Status::Unusable as u8)
        }
    }
}
