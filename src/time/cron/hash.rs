//! `H`: a number that depends on the Schedule, so that many of them do not all run at once.

use sha2::{Digest, Sha256};

/// Which Schedule a cron text belongs to.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Spread<'a> {
    pub(in super::super) namespace: &'a str,
    pub(in super::super) name: &'a str,
}

impl Spread<'_> {
    /// A number from 0 to below the number of choices: always the same for a Schedule and a field
    /// of its text, and unlike for others.
    pub(super) fn choose(&self, field: &str, choices: u64) -> u64 {
        let digest = Sha256::digest(format!("{}/{}/{field}", self.namespace, self.name));
        let (first, _) = digest.split_at(8);
        let number = first.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        number % choices.max(1)
    }
}
