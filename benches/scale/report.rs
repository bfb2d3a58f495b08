//! What was measured, against what was aimed at.

use std::time::Duration;

use serde_json::{Value, json};

#[derive(Default)]
pub struct Report(Vec<Line>);

struct Line {
    what: String,
    measured: f64,
    unit: &'static str,
    /// At most; `None`: only told.
    target: Option<f64>,
}

impl Report {
    /// A figure that is to be below or at its target.
    pub fn aim(&mut self, what: &str, measured: f64, unit: &'static str, target: f64) {
        self.add(what, measured, unit, Some(target));
    }

    /// A figure without a target.
    pub fn tell(&mut self, what: &str, measured: f64, unit: &'static str) {
        self.add(what, measured, unit, None);
    }

    /// How many there were.
    pub fn count(&mut self, what: &str, number: usize) {
        self.tell(what, u32::try_from(number).map_or(f64::MAX, f64::from), "");
    }

    fn add(&mut self, what: &str, measured: f64, unit: &'static str, target: Option<f64>) {
        let line = Line {
            what: what.to_owned(),
            measured,
            unit,
            target,
        };
        eprintln!("    {}", line.text());
        self.0.push(line);
    }

    pub fn all_met(&self) -> bool {
        self.0.iter().all(|line| line.met() != Some(false))
    }

    pub fn print(&self) {
        println!("{:<58} {:>14} {:>14}  met", "", "target", "measured");
        for line in &self.0 {
            println!("{}", line.text());
        }
    }

    pub fn to_json(&self) -> String {
        let lines: Value = self
            .0
            .iter()
            .map(|line| {
                json!({
                    "what": line.what, "measured": line.measured, "unit": line.unit,
                    "target": line.target, "met": line.met(),
                })
            })
            .collect();
        format!("{lines:#}\n")
    }
}

impl Line {
    fn met(&self) -> Option<bool> {
        self.target.map(|target| self.measured <= target)
    }

    fn text(&self) -> String {
        let unit = self.unit;
        let target = self
            .target
            .map_or_else(String::new, |target| format!("≤ {target} {unit}"));
        let met = match self.met() {
            None => "",
            Some(true) => "yes",
            Some(false) => "NO",
        };
        let measured = format!("{:.*} {unit}", self.digits(), self.measured);
        let text = format!("{:<58} {target:>14} {measured:>14}  {met}", self.what);
        text.trim_end().to_owned()
    }

    fn digits(&self) -> usize {
        if self.measured < 100.0 { 2 } else { 0 }
    }
}

pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
