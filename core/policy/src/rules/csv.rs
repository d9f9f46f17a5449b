//! One line of a policy file, cut into fields.
//!
//! Casbin's own reader takes what it does not understand for something else: a comment behind a rule becomes part of
//! the effect, an unterminated quote swallows the rest, and a deny is gone. So this one refuses whatever has two
//! readings: a quote inside an unquoted field, text behind a closing quote, `#` outside of quotes, characters that
//! cannot be seen.

use crate::error::Problem;

/// One field of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) text: String,
    /// Of its first character, counted from 1.
    pub(crate) column: u32,
}

/// Where a line is, for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) file: &'a str,
    pub(crate) line: u32,
}

impl Place<'_> {
    pub(crate) fn problem(self, column: u32, message: impl Into<String>) -> Problem {
        Problem::new(self.file, self.line, column, message)
    }
}

/// Cuts a line that is neither blank nor a comment into its fields.
pub(crate) fn fields(place: Place<'_>, line: &str) -> Result<Vec<Field>, Problem> {
    invisible(place, line)?;
    let characters: Vec<char> = line.chars().collect();
    let mut reader = Reader { place, characters: &characters, at: 0 };
    let mut fields = Vec::new();
    loop {
        reader.skip_blanks();
        let field = match reader.peek() {
            Some('"') => reader.quoted()?,
            _ => reader.plain()?,
        };
        fields.push(field);
        match reader.peek() {
            None => return Ok(fields),
            Some(_) => reader.at += 1,
        }
    }
}

/// Refuses control characters and characters that show nothing or turn the direction of writing.
pub(crate) fn invisible(place: Place<'_>, line: &str) -> Result<(), Problem> {
    let found = line.chars().enumerate().find(|(_, c)| {
        (c.is_control() && *c != '\t')
            || matches!(c, '\u{a0}' | '\u{ad}' | '\u{61c}' | '\u{feff}' | '\u{3000}')
            || matches!(c, '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}')
    });
    match found {
        None => Ok(()),
        Some((index, c)) => Err(place
            .problem(column(index), format!("invisible character U+{:04X}", u32::from(c)))
            .hint("delete it and type the text anew, with ordinary blanks")),
    }
}

struct Reader<'a> {
    place: Place<'a>,
    characters: &'a [char],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.at += 1;
        }
    }

    /// Reads up to the next comma.
    fn plain(&mut self) -> Result<Field, Problem> {
        let start = self.at;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            match c {
                ',' => break,
                '"' => {
                    return Err(self
                        .place
                        .problem(column(self.at), "a quote inside a field")
                        .hint("put the whole field into quotes, and double the quotes within"));
                }
                '#' => {
                    return Err(self
                        .place
                        .problem(column(self.at), "a comment behind a rule")
                        .hint("put the comment on a line of its own; quote a field that holds #"));
                }
                _ => text.push(c),
            }
            self.at += 1;
        }
        text.truncate(text.trim_end_matches([' ', '\t']).len());
        Ok(Field { text, column: column(start) })
    }

    /// Reads from an opening quote to behind the closing one.
    fn quoted(&mut self) -> Result<Field, Problem> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => {
                    return Err(self
                        .place
                        .problem(column(start), "this quote is never closed")
                        .hint("close it in the same line; a quote within is doubled"));
                }
                Some('"') if self.characters.get(self.at + 1) == Some(&'"') => {
                    text.push('"');
                    self.at += 2;
                }
                Some('"') => {
                    self.at += 1;
                    break;
                }
                Some(c) => {
                    text.push(c);
                    self.at += 1;
                }
            }
        }
        self.skip_blanks();
        match self.peek() {
            None | Some(',') => Ok(Field { text, column: column(start) }),
            Some('#') => Err(self
                .place
                .problem(column(self.at), "a comment behind a rule")
                .hint("put the comment on a line of its own")),
            Some(_) => Err(self
                .place
                .problem(column(self.at), "text behind a closing quote")
                .hint("put the whole field into quotes, and double the quotes within")),
        }
    }
}

fn column(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Result<Vec<String>, String> {
        fields(Place { file: "policy.csv", line: 1 }, line)
            .map(|fields| fields.into_iter().map(|field| field.text).collect())
            .map_err(|problem| problem.to_string())
    }

    #[test]
    fn fields_are_cut_at_commas_and_blanks_around_them_do_not_count() {
        assert_eq!(texts("p, a,\tb ,c").unwrap(), ["p", "a", "b", "c"]);
        assert_eq!(texts("g,,").unwrap(), ["g", "", ""]);
        let line = fields(Place { file: "x", line: 1 }, "p,  a").unwrap();
        assert_eq!(line[1].column, 5);
    }

    #[test]
    fn a_quoted_field_may_hold_commas_quotes_and_hashes() {
        assert_eq!(
            texts("g, \"group:ldap:CN=a,OU=\"\"b\"\" #1\" , role:x").unwrap(),
            ["g", r#"group:ldap:CN=a,OU="b" #1"#, "role:x"]
        );
    }

    #[test]
    fn what_has_two_readings_is_refused() {
        assert!(texts("p, a\"b").unwrap_err().contains("policy.csv:1:5: a quote inside"));
        assert!(texts("p, \"a\"b").unwrap_err().contains("1:7: text behind"));
        assert!(texts("p, \"ab").unwrap_err().contains("1:4: this quote is never closed"));
        assert!(texts("p, a # b").unwrap_err().contains("1:6: a comment behind"));
        assert!(texts("p, \"a\" # b").unwrap_err().contains("a comment behind"));
        assert!(texts("p, a\u{200b}").unwrap_err().contains("1:5: invisible character U+200B"));
        assert!(texts("p, a\u{7}").unwrap_err().contains("U+0007"));
        assert!(texts("p,\u{a0}a").unwrap_err().contains("U+00A0"));
    }
}
