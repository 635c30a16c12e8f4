//! The wall clock of the operator jumps, as when somebody sets it, or a virtual machine is resumed.

use std::path::{Path, PathBuf};

use crate::harness::{job_slot, now, story};

/// The library that can lie to one process about the time: Debian has it as `libfaketime`.
fn library() -> PathBuf {
    let installed = format!("/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH);
    let library = PathBuf::from(std::env::var("LIBFAKETIME").unwrap_or(installed));
    assert!(library.exists(), "{} is not there: apt-get install libfaketime, or set LIBFAKETIME", library.display());
    library
}

fn set(clock: &Path, offset: &str) {
    // In one step: the library reads it at any time.
    let next = clock.with_extension("next");
    std::fs::write(&next, offset).unwrap();
    std::fs::rename(next, clock).unwrap();
}

#[test]
#[ignore = "needs libfaketime"]
fn clocks_that_jump_start_nothing_early_and_nothing_twice() {
    let library = library();
    story(async |story| {
        let clock = story.cluster.dir.join(format!("{}.clock", story.namespace));
        set(&clock, "+0");
        let environment = [
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        let operator = story.operator_in("a", &environment).await;
        story.leader(&[&operator]).await;
        let first = story.tick("successfulJobsHistoryLimit: 100").await;
        story.until_job("tick", first).await;
        let term = async || story.get("Lease", "punctual").await.unwrap()["spec"]["leaseTransitions"].clone();
        let turn = term().await;
        for offset in ["+1h", "-1h", "+365d", "-56y", "+45"] {
            let said = || operator.logged().matches("the clock is not to be believed").count();
            let before = said();
            set(&clock, offset);
            story.until("the jump is noticed", async || (said() > before).then_some(())).await;
            set(&clock, "+0");
            story.tick_goes_on(&mut [], first, &format!("after a jump by {offset}")).await;
        }
        assert_eq!(term().await, turn, "its turn goes by another clock");
        for job in story.jobs_of("tick") {
            assert!(job_slot(&job) <= now().as_second(), "not due yet: {}", job["metadata"]["name"]);
        }
        story.tick_is_whole(first).await;
    });
}
