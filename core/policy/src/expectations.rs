//! `tests.csv`: what must be allowed and what must not, as a table that is asked before any change comes into force.
//!
//! `tests.csv` comes with BoxVault and speaks of roles; a site writes its own into `<name>.tests.csv`, read after it in
//! the order of names. Where a site wants something else than is shipped, it states the same question with another
//! answer: the last file wins, so that no shipped file need be changed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

use boxvault_types::action::Action;
use serde::Serialize;

use crate::error::Problem;
use crate::files::TESTS_FILE;
use crate::policy::Policy;
use crate::request::{AccessRequest, Decision, Reason, RuleRef};
use crate::rules::csv::{self, Field, Place};
use crate::rules::{each_line, words};

/// Each costs a decision whenever files change: a second for all of them.
const EXPECTATIONS_MAX: usize = 20_000;
const FORM: &str = "subject, domain, object, action, allow or deny";

/// One line: a question, and the answer that it must have.
#[derive(Debug, Clone)]
pub(crate) struct Expectation {
    request: AccessRequest,
    allow: bool,
    source: Arc<RuleRef>,
}

/// What became of the expectations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestReport {
    /// How many were asked.
    pub expectations: usize,
    /// Those that the rules do not fulfil.
    pub failures: Vec<TestFailure>,
}

/// An expectation that the rules do not fulfil.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestFailure {
    /// The line that expects it.
    pub line: RuleRef,
    /// Whether it expects to be allowed.
    pub expected: bool,
    /// Why it is decided otherwise.
    pub reason: Reason,
    /// The rule that decides otherwise; absent when none speaks of it.
    pub rule: Option<RuleRef>,
}

/// The expectations of all files.
#[derive(Debug, Default)]
pub(crate) struct Expectations {
    by_question: HashMap<(Vec<String>, String, String, Action), usize>,
    lines: Vec<Expectation>,
}

impl Expectations {
    /// Reads one file into the set.
    pub(crate) fn read(&mut self, file: &str, bytes: &[u8], problems: &mut Vec<Problem>) {
        each_line(file, bytes, problems, |place, line| self.read_line(place, line));
        if self.lines.len() > EXPECTATIONS_MAX {
            problems.push(Problem::new(
                TESTS_FILE,
                0,
                0,
                format!("all files together have more than {EXPECTATIONS_MAX} expectations"),
            ));
        }
    }

    fn read_line(&mut self, place: Place<'_>, line: &str) -> Result<(), Vec<Problem>> {
        let fields = csv::fields(place, line).map_err(|problem| vec![problem])?;
        let expectation = match fields.as_slice() {
            [subject, domain, object, action, expected] => {
                expectation(place, line, [subject, domain, object, action, expected])?
            }
            _ => return Err(vec![misshapen(place, line, &fields)]),
        };
        let request = &expectation.request;
        let mut subjects = request.subjects.clone();
        subjects.sort_unstable();
        let question = (subjects, request.domain.clone(), request.object.clone(), request.action);
        match self.by_question.entry(question) {
            Entry::Vacant(free) => {
                free.insert(self.lines.len());
                self.lines.push(expectation);
            }
            Entry::Occupied(known) => {
                let Some(before) = self.lines.get_mut(*known.get()) else { return Ok(()) };
                if *before.source.file == *place.file {
                    let message = format!("the same question as in line {}", before.source.line);
                    return Err(vec![place.problem(0, message).hint("delete one of the two")]);
                }
                *before = expectation;
            }
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Asks the policy everything.
    pub(crate) fn ask(&self, policy: &Policy) -> TestReport {
        let failures = self.lines.iter().filter_map(|expectation| {
            let decision = policy.decide(&expectation.request);
            (decision.allowed != expectation.allow).then(|| expectation.failure(&decision))
        });
        TestReport { expectations: self.lines.len(), failures: failures.collect() }
    }
}

#[cfg(test)]
impl Expectations {
    /// The questions and answers in words, for comparing.
    pub(crate) fn said(&self) -> Vec<String> {
        let line = |it: &Expectation| format!("{:?} {}", it.request, it.allow);
        self.lines.iter().map(line).collect()
    }
}

impl Expectation {
    fn failure(&self, decision: &Decision) -> TestFailure {
        TestFailure {
            line: RuleRef::clone(&self.source),
            expected: self.allow,
            reason: decision.reason,
            rule: decision.rule.as_deref().cloned(),
        }
    }
}

impl TestFailure {
    /// As a problem of the files: they are not accepted.
    pub(crate) fn problem(&self) -> Problem {
        let RuleRef { file, line, .. } = &self.line;
        Problem::new(file, *line, 0, self.to_string()).hint(
            "change the rules; if that answer is meant, change this line, or state it in a \
             *.tests.csv of your own, which counts more",
        )
    }
}

impl fmt::Display for TestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "FAILED {}:{}: {failure}", failure.line.file, failure.line.line)?;
        }
        let (count, failed) = (self.expectations, self.failures.len());
        match failed {
            0 => write!(f, "OK: {count} expectations hold"),
            _ => write!(f, "{failed} of {count} expectations fail"),
        }
    }
}

impl fmt::Display for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = if self.expected { "allow" } else { "deny" };
        write!(f, "expected {expected} of \"{}\", but ", self.line.text)?;
        match (&self.rule, self.reason) {
            (Some(rule), Reason::Allowed) => write!(f, "it is allowed by {rule}"),
            (Some(rule), _) => write!(f, "it is denied by {rule}"),
            (None, Reason::NoRule) => f.write_str("no rule allows it"),
            (None, reason) => write!(f, "the answer is {}", reason.as_str()),
        }
    }
}

fn expectation(
    place: Place<'_>,
    line: &str,
    [subject, domain, object, action, expected]: [&Field; 5],
) -> Result<Expectation, Vec<Problem>> {
    let mut problems = Vec::new();
    let request =
        AccessRequest::parse(&subject.text, Some(&domain.text), &object.text, &action.text);
    if let Err(problem) = &request {
        let field = match problem.part {
            "subject" => subject,
            "object" => object,
            "action" => action,
            _ => domain,
        };
        problems.push(
            place.problem(field.column, problem.message.as_str()).maybe_hint(problem.hint.clone()),
        );
    }
    let allow = words::check_effect(&expected.text);
    if let Err(problem) = &allow {
        problems.push(
            place
                .problem(expected.column, problem.message.as_str())
                .maybe_hint(problem.hint.clone()),
        );
    }
    match (request, allow) {
        (Ok(request), Ok(allow)) => {
            let source = Arc::new(RuleRef {
                file: place.file.into(),
                line: place.line,
                text: line.trim_matches([' ', '\t']).to_owned(),
            });
            Ok(Expectation { request, allow, source })
        }
        _ => Err(problems),
    }
}

fn misshapen(place: Place<'_>, line: &str, fields: &[Field]) -> Problem {
    if fields.len() == 1 && line.contains(';') {
        return place
            .problem(1, "fields are separated by commas, not by semicolons")
            .hint("save the file with commas; spreadsheets offer it as \"CSV, comma\"");
    }
    let column = fields.get(5).map_or(0, |field| field.column);
    let hint = match fields.first().map(|field| field.text.as_str()) {
        Some("p" | "g") => "rules belong into another file: this one holds expectations".to_owned(),
        _ => format!("write {FORM}; quote several subjects: \"role:member,user:local:bob\""),
    };
    let message = format!("an expectation has 5 fields, not {}", fields.len());
    place.problem(column, message).hint(hint)
}

#[cfg(test)]
mod tests {
    use crate::Policy;

    const MODEL: &str = include_str!("../../../policies/model.conf");
    const RULES: &str = "p, role:platform-admin, *, **, *, allow\n\
                         p, role:member, *, box/**, read, allow\n\
                         p, authenticated, acme, box/secret/**, read, deny\n";

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let mut all = vec![("policy.csv", RULES)];
        all.extend_from_slice(files);
        match Policy::from_texts(MODEL, &all) {
            Ok(_) => Vec::new(),
            Err(error) => error.problems().iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn what_is_expected_and_so_is_no_problem() {
        let tests = "# what members may do\n\n\
                     role:member, acme, box/web, read, allow\r\n\
                     role:member, acme, box/secret, read, deny\n\
                     \"anonymous,role:public\", acme, box/web, read, deny\n";
        assert_eq!(problems(&[("tests.csv", tests)]), [""; 0]);
    }

    #[test]
    fn an_expectation_that_fails_refuses_the_files_and_names_the_rule() {
        let tests = "role:member, acme, box/secret, read, allow\n\
                     role:member, acme, box/web, delete, allow\n\
                     role:member, acme, box/web, read, deny\n";
        let told = problems(&[("tests.csv", tests)]);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].starts_with("tests.csv:1: expected allow of"), "{told:?}");
        assert!(told[0].contains("denied by policy.csv:3: p, authenticated, acme"), "{told:?}");
        assert!(told[1].starts_with("tests.csv:2:") && told[1].contains("no rule allows it"));
        assert!(told[2].contains("expected deny") && told[2].contains("allowed by policy.csv:2:"));
    }

    #[test]
    fn a_later_file_states_another_answer() {
        let shipped = ("tests.csv", "role:member, acme, box/web, delete, allow\n");
        assert_eq!(problems(&[shipped]).len(), 1);
        let own =
            ("site.tests.csv", "\"authenticated, role:member\", acme, box/web, delete, deny\n");
        assert_eq!(problems(&[shipped, own]), [""; 0]);
        let twice = format!("{0}{0}", own.1);
        let told = problems(&[("tests.csv", &twice)]);
        assert!(told[0].starts_with("tests.csv:2: the same question as in line 1"), "{told:?}");
    }

    #[test]
    fn a_line_that_is_no_expectation_says_why() {
        let told = |line: &str| {
            let told = problems(&[("tests.csv", &format!("# one\n{line}\n"))]);
            assert_eq!(told.len(), 1, "{line}: {told:?}");
            told[0].clone()
        };
        for (line, part) in [
            ("role:member, acme, box/web, read", "tests.csv:2: an expectation has 5 fields, not 4"),
            ("role:member;acme;box/web;read;allow", "not by semicolons"),
            ("p, role:member, *, box/*, read, allow", "tests.csv:2:33: an expectation has 5"),
            ("role:member, acme, box/web, read, Allow", "2:35: unknown effect \"Allow\""),
            ("role:member, acme, box/*, read, allow", "2:20: \"box/*\" is a pattern"),
            ("role:member, *, box/web, read, allow", "2:14: a question is about one organization"),
            ("member, acme, box/web, read, allow", "2:1: unknown subject"),
            ("role:member, acme, box/web, upload, deny", "2:29: the server never asks"),
            ("role:member, acme, box/web, read, allow # yes", "a comment behind a rule"),
        ] {
            assert!(told(line).contains(part), "{} lacks {part:?}", told(line));
        }
        assert!(problems(&[("tests.csv", "")])[0].contains("the file is empty"));
        assert!(problems(&[("tests.csv", "\u{feff}# x\n")])[0].contains("byte-order mark"));
    }
}
