//! The one way to write a policy file down: fields separated by a comma and a blank, quotes only where they are needed.
//!
//! Comments, blank lines and the order of everything stay, since they are how people find their way. A file with a
//! problem is not touched: what cannot be read cannot be written down again.

use std::path::Path;

use crate::error::{PolicyError, Problem};
use crate::expectations::Expectations;
use crate::files::{self, PolicyFiles, is_tests};
use crate::rules::csv::{self, Place};
use crate::rules::{LINE_BYTES_MAX, RuleSet, is_silent};

/// The files of a folder that are not in their one form: name and text of each. Reads files, so it blocks.
///
/// # Errors
/// All problems of all files alone.
pub fn format_dir(dir: &Path) -> Result<Vec<(String, String)>, PolicyError> {
    let (mut changed, mut problems) = (Vec::new(), Vec::new());
    let files = PolicyFiles::read(dir)?;
    for (name, bytes) in files.rules.into_iter().chain(files.tests) {
        match format_file(&name, &bytes) {
            Ok(text) if text.as_bytes() != bytes => changed.push((name, text)),
            Ok(_) => {}
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(changed) } else { Err(PolicyError::Invalid { problems }) }
}

/// Puts a text in the place of a file of a folder, whole or not at all. Writes files, so it blocks.
///
/// # Errors
/// When the file is not there or cannot be written.
pub fn save_file(dir: &Path, name: &str, text: &str) -> Result<(), PolicyError> {
    let path = dir.join(name);
    files::replace(&path, text.as_bytes())
        .map_err(|source| PolicyError::Unwritable { path, source })
}

/// Prints a file of rules, or of expectations if it is called so, in its one form.
///
/// # Errors
/// All problems that a server would have with the file alone.
pub fn format_file(name: &str, bytes: &[u8]) -> Result<String, Vec<Problem>> {
    let mut problems = Vec::new();
    if is_tests(name) {
        Expectations::default().read(name, bytes, &mut problems);
    } else {
        RuleSet::default().read(name, bytes, &mut problems);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return Err(problems) };
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut printed = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        let place = Place { file: name, line: u32::try_from(index + 1).unwrap_or(u32::MAX) };
        printed.push_str(&print_line(place, line.trim_matches([' ', '\t', '\r'])));
        printed.push('\n');
    }
    // a file ends with one line end, however many there were
    printed.truncate(printed.trim_end_matches('\n').len());
    printed.push('\n');
    Ok(printed)
}

fn print_line(place: Place<'_>, line: &str) -> String {
    let Ok(fields) = csv::fields(place, line) else { return line.to_owned() };
    if is_silent(line) {
        return line.to_owned();
    }
    let fields: Vec<String> = fields.iter().map(|field| print_field(&field.text)).collect();
    let printed = fields.join(", ");
    // a blank more must not make a line too long that was just short enough
    if printed.len() > LINE_BYTES_MAX { line.to_owned() } else { printed }
}

pub(crate) fn print_field(text: &str) -> String {
    let blank = |c: char| matches!(c, ' ' | '\t');
    if text.contains([',', '"', '#']) || text.starts_with(blank) || text.ends_with(blank) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_get_one_form_and_everything_else_stays() {
        let text = "# Rules,  of ours\r\n\r\n  # inner\n\np,role:member ,*,\t\"box/**\",read,allow  \n\
                    g, \"group:ldap:CN=a,OU=b\", \"role:member\", acme\n\
                    g, \"group:ldap:a \"\"b\"\" #1\",role:member,acme\n\n\n";
        let printed = "# Rules,  of ours\n\n# inner\n\np, role:member, *, box/**, read, allow\n\
                       g, \"group:ldap:CN=a,OU=b\", role:member, acme\n\
                       g, \"group:ldap:a \"\"b\"\" #1\", role:member, acme\n";
        assert_eq!(format_file("policy.csv", text.as_bytes()).unwrap(), printed);
        assert_eq!(format_file("policy.csv", printed.as_bytes()).unwrap(), printed);
    }

    #[test]
    fn expectations_are_printed_as_well() {
        let text = b"\"role:member,role:creator\",acme,box/web,read,allow";
        assert_eq!(
            format_file("site.tests.csv", text).unwrap(),
            "\"role:member,role:creator\", acme, box/web, read, allow\n"
        );
        assert!(format_file("site.csv", text).is_err());
    }

    #[test]
    fn the_shipped_files_have_that_form() {
        for (name, text) in [
            ("policy.csv", include_str!("../../../policies/policy.csv")),
            ("tests.csv", include_str!("../../../policies/tests.csv")),
        ] {
            assert_eq!(format_file(name, text.as_bytes()).unwrap(), text, "{name}");
        }
    }

    #[test]
    fn a_file_with_a_problem_is_not_printed() {
        let problems = format_file("policy.csv", b"p, role:member, *, box/**, read, Allow\n");
        assert_eq!(problems.unwrap_err().len(), 1);
        assert_eq!(format_file("policy.csv", b"p, caf\xe9\n").unwrap_err().len(), 1);
    }

    #[test]
    fn a_line_that_would_become_too_long_stays() {
        let group = "a".repeat(LINE_BYTES_MAX - 30);
        let line = format!("g,group:ldap:{group},role:member,*");
        let line = format!("{}{line}", " ".repeat(LINE_BYTES_MAX - line.len()));
        let printed = format_file("policy.csv", line.as_bytes()).unwrap();
        assert!(format_file("policy.csv", printed.as_bytes()).is_ok());
    }
}
