//! What a run found, for people and for programs.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

/// How one case ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// The promise holds.
    Passed,
    /// The promise does not hold.
    Failed {
        /// What was found instead.
        reason: String,
    },
    /// The plugin does not claim to do this.
    NotClaimed {
        /// What it would have to declare.
        claim: String,
    },
    /// The case cannot be tried on this plugin.
    Skipped {
        /// Why not.
        reason: String,
    },
}

/// One case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseReport {
    /// The promise, as a sentence.
    pub name: Cow<'static, str>,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// All cases of a suite, in the order in which they ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// `handshake`, `abi`, `storage`, `auth`, `faults` or `network`.
    pub suite: Cow<'static, str>,
    /// The cases.
    pub cases: Vec<CaseReport>,
}

impl Report {
    /// Says whether nothing failed, and something passed.
    pub fn passed(&self) -> bool {
        self.count(|outcome| matches!(outcome, Outcome::Failed { .. })) == 0
            && self.count(|outcome| *outcome == Outcome::Passed) > 0
    }

    /// So many cases held, did not, are not claimed, and could not be tried.
    pub fn counts(&self) -> [usize; 4] {
        [
            self.count(|outcome| *outcome == Outcome::Passed),
            self.count(|outcome| matches!(outcome, Outcome::Failed { .. })),
            self.count(|outcome| matches!(outcome, Outcome::NotClaimed { .. })),
            self.count(|outcome| matches!(outcome, Outcome::Skipped { .. })),
        ]
    }

    /// How one case ended, by its name.
    pub fn outcome(&self, name: &str) -> Option<&Outcome> {
        self.cases.iter().find(|case| case.name == name).map(|case| &case.outcome)
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.cases.iter().filter(|case| which(&case.outcome)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for CaseReport { name, outcome } in &self.cases {
            match outcome {
                Outcome::Passed => writeln!(f, "  ok      {name}")?,
                Outcome::Failed { reason } => writeln!(f, "  FAILED  {name}: {reason}")?,
                Outcome::NotClaimed { claim } => writeln!(f, "  -       {name}: needs {claim}")?,
                Outcome::Skipped { reason } => writeln!(f, "  skipped {name}: {reason}")?,
            }
        }
        let [passed, failed, not_claimed, skipped] = self.counts();
        write!(
            f,
            "{} suite: {passed} passed, {failed} failed, {not_claimed} not claimed, {skipped} skipped",
            self.suite
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: &[Outcome]) -> Report {
        let cases = outcomes
            .iter()
            .map(|o| CaseReport { name: "a case".into(), outcome: o.clone() })
            .collect();
        Report { suite: "storage".into(), cases }
    }

    #[test]
    fn a_report_with_a_failure_or_without_a_pass_has_not_passed() {
        let failed = Outcome::Failed { reason: "why".into() };
        assert!(report(&[Outcome::Passed]).passed());
        assert!(!report(&[Outcome::Passed, failed]).passed());
        assert!(!report(&[Outcome::NotClaimed { claim: "list".into() }]).passed());
        assert!(!report(&[]).passed());
    }

    #[test]
    fn a_report_reads_as_text_and_as_json() {
        let report = report(&[Outcome::Passed, Outcome::Failed { reason: "why".into() }]);
        let text = report.to_string();
        assert!(text.contains("FAILED  a case: why") && text.contains("1 passed, 1 failed"));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["cases"][1]["outcome"], "failed");
        assert_eq!(json["cases"][1]["reason"], "why");
    }
}
