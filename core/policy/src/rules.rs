//! Reads policy files strictly, before Casbin sees them, and keeps file and line for every message and decision.
//!
//! A rule that cannot be understood is an error, never a rule less: Casbin's own reader would drop it silently, and
//! the rule that is dropped may be a deny. All problems of all files are collected, not only the first.

pub(crate) mod csv;
pub(crate) mod model;
mod own;
pub(crate) mod words;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use boxvault_types::action::Action;

use crate::error::Problem;
use crate::files::RULES_FILE;
use crate::pattern;
use crate::request::RuleRef;
use csv::{Field, Place};
use words::{ANY, WordProblem};

/// The largest policy file: as many rules as there may be, each of a hundred characters and more.
pub(crate) const FILE_BYTES_MAX: usize = 32 << 20;
/// The longest line. The longest sensible rule has a few hundred characters.
pub(crate) const LINE_BYTES_MAX: usize = 4096;
/// A decision costs the same with few rules and with many, but each takes half a KiB, twice that while a change comes
/// into force, and six microseconds to read: with so many it takes a second and 100 MiB.
pub(crate) const RULES_MAX: usize = 200_000;
/// More is a file of another kind, and nobody reads so many lines.
pub(crate) const PROBLEMS_MAX: usize = 1_000;
/// `g` lines cost memory only, but thousands of them are a directory, and belong into one.
const BINDINGS_MAX: usize = 20_000;

/// The last segment of a pattern that matches the rest, however long.
pub(crate) const REST: &str = "**";

/// A `p` line. Subjects and domains stand in many rules, and share their text.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) subject: Arc<str>,
    pub(crate) domain: Arc<str>,
    pub(crate) object: Box<str>,
    /// Absent when it is every action.
    pub(crate) action: Option<Action>,
    pub(crate) allow: bool,
    pub(crate) source: Arc<RuleRef>,
}

impl Rule {
    /// The fields behind the `p`, as files and Casbin write them.
    pub(crate) fn fields(&self) -> [&str; 5] {
        [&self.subject, &self.domain, &self.object, self.action_word(), self.effect()]
    }

    pub(crate) fn action_word(&self) -> &'static str {
        self.action.map_or(ANY, Action::as_str)
    }

    pub(crate) fn effect(&self) -> &'static str {
        if self.allow { "allow" } else { "deny" }
    }
}

/// A `g` line: whoever is `member` is also `role`, in the domain.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    pub(crate) member: Arc<str>,
    pub(crate) role: Arc<str>,
    pub(crate) domain: Arc<str>,
    pub(crate) source: Arc<RuleRef>,
}

impl Binding {
    /// The fields behind the `g`.
    pub(crate) fn fields(&self) -> [&str; 3] {
        [&self.member, &self.role, &self.domain]
    }
}

/// The lines of all files, in the order of reading.
#[derive(Debug, Default)]
pub(crate) struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    pub(crate) bindings: Vec<Binding>,
    /// Roles in lines that could not be read. What is said of them is not known, so nothing is said about them.
    pub(crate) unclear_roles: HashSet<String>,
    /// Each text that many lines have in common, once.
    words: HashSet<Arc<str>>,
    /// The organization whose own rules they are; absent for those of a site.
    organization: Option<String>,
}

impl RuleSet {
    /// A set for the rules of an organization's own.
    pub(crate) fn of_organization(name: &str) -> Self {
        Self { organization: Some(name.to_owned()), ..Self::default() }
    }

    /// Reads one file into the set.
    pub(crate) fn read(&mut self, file: &str, bytes: &[u8], problems: &mut Vec<Problem>) {
        each_line(file, bytes, problems, |place, line| {
            if self.rules.len() > RULES_MAX || self.bindings.len() > BINDINGS_MAX {
                return Ok(());
            }
            self.read_line(place, line).inspect_err(|_| {
                let words = line.split([',', ';', '"', ' ', '\t']);
                let roles = words.filter(|word| word.starts_with("role:"));
                self.unclear_roles.extend(roles.map(str::to_owned));
            })
        });
    }

    /// Checks what can be known only when all files were read.
    pub(crate) fn check_size(&self, problems: &mut Vec<Problem>) {
        for (what, count, max, hint) in [
            (
                "p",
                self.rules.len(),
                RULES_MAX,
                "give rights to roles, not to single boxes or people",
            ),
            ("g", self.bindings.len(), BINDINGS_MAX, "bind groups, or make people members instead"),
        ] {
            if count > max {
                problems.push(
                    Problem::new(
                        RULES_FILE,
                        0,
                        0,
                        format!("all files together have more than {max} {what} lines"),
                    )
                    .hint(hint),
                );
            }
        }
    }

    fn read_line(&mut self, place: Place<'_>, line: &str) -> Result<(), Vec<Problem>> {
        let fields = csv::fields(place, line).map_err(|problem| vec![problem])?;
        let source = Arc::new(RuleRef {
            file: self.shared(place.file),
            line: place.line,
            text: line.trim_matches([' ', '\t']).to_owned(),
        });
        match fields.as_slice() {
            [kind, subject, domain, object, action, effect] if kind.text == "p" => {
                let rule = self.rule(place, [subject, domain, object, action, effect], source)?;
                self.rules.push(rule);
                Ok(())
            }
            [kind, member, role, domain] if kind.text == "g" => {
                let binding = self.binding(place, [member, role, domain], source)?;
                self.bindings.push(binding);
                Ok(())
            }
            fields => Err(vec![misshapen(place, line, fields)]),
        }
    }

    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.words.get(text) {
            return Arc::clone(known);
        }
        let word: Arc<str> = text.into();
        self.words.insert(Arc::clone(&word));
        word
    }

    fn rule(
        &mut self,
        place: Place<'_>,
        [subject, domain, object, action, effect]: [&Field; 5],
        source: Arc<RuleRef>,
    ) -> Result<Rule, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut told = |field: &Field, problem: WordProblem| {
            problems.push(place.problem(field.column, problem.message).maybe_hint(problem.hint));
        };
        if let Err(problem) = words::check_subject(&subject.text) {
            told(subject, problem);
        }
        if let Err(problem) = words::check_domain(&domain.text) {
            told(domain, problem);
        }
        let action_field = action;
        let action = words::check_action(&action.text).map_err(|problem| told(action, problem));
        let allow = words::check_effect(&effect.text).map_err(|problem| told(effect, problem));
        if let Err(problem) = pattern::check(&object.text) {
            let column = object.column + u32::try_from(problem.offset).unwrap_or_default();
            problems.push(place.problem(column, problem.message).maybe_hint(problem.hint));
        }
        if let (true, Ok(action_word), Ok(allow)) = (problems.is_empty(), &action, &allow) {
            problems = self.own_words(place, [subject, domain, object]);
            if *allow && self.organization.is_some() {
                let beyond = own::check_allowed(&subject.text, *action_word);
                problems.extend(tell(place, [(action_field, beyond)]));
            }
        }
        problems.sort_by_key(|problem| problem.column);
        match (action, allow) {
            (Ok(action), Ok(allow)) if problems.is_empty() => Ok(Rule {
                subject: self.shared(&subject.text),
                domain: self.shared(&domain.text),
                object: object.text.as_str().into(),
                action,
                allow,
                source,
            }),
            _ => Err(problems),
        }
    }

    fn binding(
        &mut self,
        place: Place<'_>,
        [member, role, domain]: [&Field; 3],
        source: Arc<RuleRef>,
    ) -> Result<Binding, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut told = |field: &Field, problem: WordProblem| {
            problems.push(place.problem(field.column, problem.message).maybe_hint(problem.hint));
        };
        match words::check_subject(&member.text) {
            Err(problem) => told(member, problem),
            Ok(()) if matches!(member.text.as_str(), "anonymous" | "role:public") => {
                told(
                    member,
                    WordProblem {
                        message: format!("{:?} may not be given a role", member.text),
                        hint: Some(
                            "everybody on the network would have it; write p lines instead".into(),
                        ),
                    },
                );
            }
            Ok(()) => {}
        }
        match words::check_subject(&role.text) {
            Err(problem) => told(role, problem),
            Ok(()) if !role.text.starts_with("role:") => told(
                role,
                WordProblem {
                    message: format!("{:?} is no role", role.text),
                    hint: Some("write g, <who>, role:<name>, <organization>".into()),
                },
            ),
            Ok(()) if matches!(role.text.as_str(), "role:creator" | "role:public") => {
                told(
                    role,
                    WordProblem {
                        message: format!(
                            "{:?} cannot be given: the server knows who it is",
                            role.text
                        ),
                        hint: Some("give role:admin, or a role of your own".into()),
                    },
                );
            }
            Ok(()) => {}
        }
        if let Err(problem) = words::check_domain(&domain.text) {
            told(domain, problem);
        }
        if problems.is_empty() {
            problems = self.own_names(place, [member, role, domain]);
        }
        if problems.is_empty() {
            Ok(Binding {
                member: self.shared(&member.text),
                role: self.shared(&role.text),
                domain: self.shared(&domain.text),
                source,
            })
        } else {
            Err(problems)
        }
    }

    /// What a `p` line says that is not for whoever writes it to say.
    fn own_words(&self, place: Place<'_>, [subject, domain, object]: [&Field; 3]) -> Vec<Problem> {
        let Some(own) = self.organization.as_deref() else {
            return tell(place, [(subject, own::check_site(&subject.text))]);
        };
        let found = [
            (subject, own::check_subject(own, &subject.text)),
            (domain, own::check_domain(own, &domain.text)),
            (object, own::check_object(own, &object.text)),
        ];
        tell(place, found)
    }

    /// The same of a `g` line.
    fn own_names(&self, place: Place<'_>, [member, role, domain]: [&Field; 3]) -> Vec<Problem> {
        let Some(own) = self.organization.as_deref() else {
            let found = [member, role].map(|field| (field, own::check_site(&field.text)));
            return tell(place, found);
        };
        let found = [
            (member, own::check_member(own, &member.text)),
            (role, own::check_role(own, &role.text)),
            (domain, own::check_domain(own, &domain.text)),
        ];
        tell(place, found)
    }
}

fn tell<const N: usize>(
    place: Place<'_>,
    found: [(&Field, Option<WordProblem>); N],
) -> Vec<Problem> {
    let problem = |(field, problem): (&Field, Option<WordProblem>)| {
        let problem = problem?;
        Some(place.problem(field.column, problem.message).maybe_hint(problem.hint))
    };
    found.into_iter().filter_map(problem).collect()
}

/// Reads the lines of a file, except those that are blank or a comment.
pub(crate) fn each_line(
    file: &str,
    bytes: &[u8],
    problems: &mut Vec<Problem>,
    mut read: impl FnMut(Place<'_>, &str) -> Result<(), Vec<Problem>>,
) {
    let Some(text) = text(file, bytes, problems) else { return };
    if text.is_empty() {
        problems.push(
            Problem::new(file, 0, 0, "the file is empty")
                .hint("it may have been cut off; a file without lines holds at least a comment"),
        );
    }
    for (index, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let place = Place { file, line: u32::try_from(index + 1).unwrap_or(u32::MAX) };
        if problems.len() >= PROBLEMS_MAX {
            problems.push(place.problem(0, "the lines from here on were not looked at"));
            return;
        }
        let result = match line.len() {
            length if length > LINE_BYTES_MAX => Err(vec![place.problem(
                0,
                format!("the line has {length} bytes; at most {LINE_BYTES_MAX} are allowed"),
            )]),
            _ if is_silent(line) => csv::invisible(place, line).map_err(|problem| vec![problem]),
            _ => read(place, line),
        };
        problems.extend(result.err().into_iter().flatten());
    }
}

/// Whether a line is blank or a comment.
pub(crate) fn is_silent(line: &str) -> bool {
    let start = line.trim_start_matches([' ', '\t']);
    start.is_empty() || start.starts_with('#')
}

/// The file as text, or the reason why it is none.
fn text<'a>(file: &str, bytes: &'a [u8], problems: &mut Vec<Problem>) -> Option<&'a str> {
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!("the file is longer than {FILE_BYTES_MAX} bytes");
        problems.push(
            Problem::new(file, 0, 0, message)
                .hint("give rights to roles, and make people members in the catalog"),
        );
        return None;
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        problems.push(
            Problem::new(file, 1, 1, "the file begins with a byte-order mark")
                .hint("save it as UTF-8 without BOM"),
        );
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count();
            problems.push(
                Problem::new(file, u32::try_from(line).unwrap_or(u32::MAX), 0, "this is not UTF-8")
                    .hint("save the file as UTF-8 without BOM"),
            );
            None
        }
    }
}

/// What is wrong with a line that is neither a `p` nor a `g` line of the right length.
fn misshapen(place: Place<'_>, line: &str, fields: &[Field]) -> Problem {
    const RULE: &str = "p, subject, domain, object, action, effect";
    const BINDING: &str = "g, member, role, domain";
    let first = fields.first().map_or("", |field| field.text.as_str());
    let column = fields.first().map_or(1, |field| field.column);
    if fields.len() == 1 && line.contains(';') {
        return place
            .problem(column, "fields are separated by commas, not by semicolons")
            .hint("save the file with commas; spreadsheets offer it as \"CSV, comma\"");
    }
    let (form, wanted) = match first {
        "p" => (RULE, 6),
        "g" => (BINDING, 4),
        _ => {
            let message = format!("unknown line type {first:?}; known are: p, g");
            let hint = match first.to_ascii_lowercase().as_str() {
                "p" => "write p in lower case".to_owned(),
                "g" => "write g in lower case".to_owned(),
                _ => format!("write {RULE}, or {BINDING}; a comment begins with #"),
            };
            return place.problem(column, message).hint(hint);
        }
    };
    let extra = fields.get(wanted).map_or(0, |field| field.column);
    place
        .problem(extra, format!("a {first} line has {wanted} fields, not {}", fields.len()))
        .hint(format!("write {form}; quote a field that holds a comma"))
}
