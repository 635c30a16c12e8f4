//! What is kept of a run: raw data as JSON lines, tables, plots; and what they were measured on.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::Try;
use super::lab::load_average;
use super::numbers::now;
use super::options::Options;
use super::plot::Plot;

/// Where results go.
pub struct Results {
    /// On what it is measured.
    pub machine: Value,
    dir: PathBuf,
    command: String,
    tables: String,
}

impl Results {
    /// Makes the directory.
    pub fn begin(options: &Options) -> Try<Self> {
        let stamp = now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let dir =
            options.out.clone().unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("../bench").join(stamp));
        fs::create_dir_all(&dir)?;
        Ok(Self { machine: Value::Null, dir, command: format!("{options:?}"), tables: String::new() })
    }

    /// Keeps one measurement, at once: an interrupted run has measured something too.
    pub fn keep(&self, what: &str, measured: &impl Serialize) -> Try<()> {
        let line = json!({"what": what, "at": now().to_string(), "load": load_average(), "measured": measured});
        let mut file: File = OpenOptions::new().create(true).append(true).open(self.dir.join("raw.jsonl"))?;
        writeln!(file, "{line}")?;
        Ok(())
    }

    /// Shows a table, and keeps it.
    pub fn table(&mut self, table: &Table) -> Try<()> {
        let text = table.markdown();
        println!("\n{text}");
        self.tables += &format!("{text}\n");
        Ok(())
    }

    /// Keeps a plot.
    pub fn plot(&self, name: &str, plot: &Plot) -> Try<()> {
        Ok(fs::write(self.dir.join(format!("{name}.svg")), plot.svg())?)
    }

    /// Writes what is left, and says where it all is.
    pub fn end(&self) -> Try<()> {
        let machine = serde_json::to_string_pretty(&self.machine)?;
        let page =
            format!("# Measured {}\n\n```\n{}\n```\n\n```json\n{machine}\n```\n\n{}", now(), self.command, self.tables);
        fs::write(self.dir.join("tables.md"), page)?;
        println!("tables, plots and raw data are in {}", self.dir.display());
        Ok(())
    }
}

/// A table.
pub struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// One without rows.
    pub fn new(title: &str, columns: &[&str]) -> Self {
        Self { title: title.into(), columns: columns.iter().map(|it| (*it).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule = vec!["---".to_owned(); self.columns.len()];
        let rows: String = self.rows.iter().map(|it| line(it)).collect();
        format!("## {}\n\n{}{}{rows}", self.title, line(&self.columns), line(&rule))
    }
}
