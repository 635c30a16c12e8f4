//! What is printed of a story that went wrong.

use std::io::Write;

use super::cluster::Cluster;
use super::story::Story;

/// Lines of each log shown.
const LINES: usize = 60;

/// Adds a line to the list of the stories told, which is beside the cluster's files.
pub fn note(line: &str) {
    let dir = &Cluster::shared().dir;
    let file = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("stories.log"));
    file.and_then(|mut file| writeln!(file, "{line}")).unwrap();
}

/// Prints what there is in the namespace, and what the operators logged.
pub fn tell(story: &Story) {
    let cluster = story.cluster;
    eprintln!("==== {}: what there is, in {}", story.namespace, cluster.dir.display());
    for what in [["schedules", "yaml"], ["jobs,pods", "wide"], ["leases", "yaml"]] {
        let output = cluster.kubectl().args(["get", what[0], "-o", what[1], "-n", &story.namespace]).output();
        eprintln!(
            "{}",
            output.map_or_else(|error| error.to_string(), |it| String::from_utf8_lossy(&it.stdout).into_owned())
        );
    }
    for (name, log) in story.logs() {
        eprintln!("---- replica {name}, the last lines of its log");
        let lines: Vec<&str> = log.lines().collect();
        for line in &lines[lines.len().saturating_sub(LINES)..] {
            eprintln!("{line}");
        }
    }
    eprintln!("---- Jobs seen");
    for job in story.jobs_seen() {
        eprintln!("{} created {}", job["metadata"]["name"], job["metadata"]["creationTimestamp"]);
    }
}
