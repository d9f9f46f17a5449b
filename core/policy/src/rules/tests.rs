//! The traps: each is a way in which Casbin's own reader would have lost a rule, or stopped, without a word.

use proptest::prelude::*;

use super::{FILE_BYTES_MAX, PROBLEMS_MAX, RULES_MAX};
use crate::files::PolicyFiles;
use crate::{Policy, PolicyError};

const MODEL: &str = include_str!("../../../../policies/model.conf");
const SHIPPED: &str = include_str!("../../../../policies/policy.csv");
const ADMIN: &str = "p, role:platform-admin, *, **, *, allow\n";

/// Reads the admin's rule and then these lines, which must be refused with one problem on line 2.
fn refusal(lines: &str) -> String {
    let problems = refusals(&format!("{ADMIN}{lines}"));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("policy.csv:2"), "{problems:?}");
    problems[0].clone()
}

fn refusals(text: &str) -> Vec<String> {
    told(Policy::from_texts(MODEL, &[("policy.csv", text)]))
}

fn told(result: Result<Policy, PolicyError>) -> Vec<String> {
    result.unwrap_err().problems().iter().map(ToString::to_string).collect()
}

fn model_refusals(model: &str) -> Vec<String> {
    told(Policy::from_texts(model, &[("policy.csv", SHIPPED)]))
}

macro_rules! assert_has {
    ($text:expr, $part:expr) => {
        let text = $text;
        assert!(text.contains($part), "{text:?} lacks {:?}", $part);
    };
}

#[test]
fn deny_with_a_capital_is_refused() {
    let problem = refusal("p, role:member, *, box/*, delete, Deny\n");
    assert_has!(&problem, "policy.csv:2:35: unknown effect \"Deny\"");
    assert_has!(&problem, "did you mean \"deny\"?");
}

#[test]
fn a_comment_behind_a_rule_is_refused() {
    let problem = refusal("p, role:member, *, box/*, delete, deny # not members\n");
    assert_has!(&problem, "2:40: a comment behind a rule");
    assert_has!(&problem, "on a line of its own");
}

#[test]
fn a_byte_order_mark_is_refused() {
    let problems = refusals(&format!("\u{feff}{ADMIN}"));
    assert_has!(&problems[0], "policy.csv:1:1: the file begins with a byte-order mark");
    assert_eq!(problems.len(), 1);
}

#[test]
fn a_capital_p_is_refused() {
    let problem = refusal("P, role:member, *, box/*, delete, deny\n");
    assert_has!(&problem, "2:1: unknown line type \"P\"");
    assert_has!(&problem, "write p in lower case");
}

#[test]
fn another_line_type_is_refused() {
    assert_has!(refusal("p2, role:member, *, box/*, delete, deny\n"), "known are: p, g");
    assert_has!(refusal("allow bob everything\n"), "unknown line type");
}

#[test]
fn semicolons_are_refused() {
    let problem = refusal("p;role:member;*;box/*;delete;deny\n");
    assert_has!(&problem, "separated by commas, not by semicolons");
}

#[test]
fn a_field_too_few_or_too_many_is_refused() {
    assert_has!(refusal("p, role:member, *, box/*, delete\n"), "a p line has 6 fields, not 5");
    assert_has!(refusal("p, role:member, *, box/*, delete, deny,\n"), "6 fields, not 7");
    assert_has!(refusal("p, role:member, *, box/*, delete, deny, x\n"), "2:41: a p line has 6");
    assert_has!(refusal("g, user:local:bob, role:admin\n"), "a g line has 4 fields, not 3");
}

#[test]
fn an_empty_field_is_refused() {
    assert_has!(refusal("p, , *, box/*, delete, deny\n"), "unknown subject \"\"");
    assert_has!(refusal("p, role:member, , box/*, delete, deny\n"), "2:17: domain \"\"");
    assert_has!(refusal("p, role:member, *, , delete, deny\n"), "a pattern may not");
    assert_has!(refusal("p, role:member, *, box/*, , deny\n"), "unknown action \"\"");
}

#[test]
fn an_unknown_effect_is_refused() {
    assert_has!(refusal("p, role:member, *, box/*, delete, dney\n"), "did you mean \"deny\"?");
    assert_has!(refusal("p, role:member, *, box/*, delete, no\n"), "known are: allow, deny");
}

#[test]
fn an_unknown_action_is_refused_with_the_known_ones() {
    let problem = refusal("p, role:member, *, box/*, delte, deny\n");
    assert_has!(
        &problem,
        "2:27: unknown action \"delte\"; known are: read, create, update, delete"
    );
    assert_has!(&problem, "did you mean \"delete\"?");
}

#[test]
fn an_unknown_object_is_refused_with_the_known_ones() {
    let problem = refusal("p, role:member, *, boxes/*, delete, deny\n");
    assert_has!(&problem, "2:20: unknown object \"boxes\"; known are: setup, account");
    assert_has!(&problem, "did you mean \"box\"?");
}

#[test]
fn an_unknown_role_is_refused() {
    let problem = refusal("p, role:membr, *, box/*, delete, deny\n");
    assert_has!(&problem, "policy.csv:2: nobody has the role \"role:membr\"");
    assert_has!(&problem, "did you mean \"role:member\"?");
    let problem = refusal("g, user:local:bob, role:amdin, acme\n");
    assert_has!(&problem, "has no rules");
    assert_has!(&problem, "did you mean \"role:admin\"?");
}

#[test]
fn an_unterminated_quote_is_refused() {
    let problem = refusal("p, \"group:ldap:a, *, box/*, delete, deny\n");
    assert_has!(&problem, "2:4: this quote is never closed");
}

#[test]
fn control_characters_are_refused_in_comments_as_well() {
    assert_has!(refusal("p, role:member, *, box/*, delete, deny\u{0}\n"), "U+0000");
    assert_has!(refusal("# a\u{202e}b\n"), "invisible character U+202E");
    // an old Mac's line ends would make a whole file one comment
    assert_has!(refusal("# one\rp, role:member, *, box/*, delete, deny\n"), "U+000D");
}

#[test]
fn a_line_too_long_is_refused() {
    let line = format!("# {}\n", "a".repeat(5000));
    assert_has!(refusal(&line), "the line has 5002 bytes; at most 4096");
}

#[test]
fn a_file_too_long_is_refused() {
    let text = format!("{ADMIN}{}", "# comment\n".repeat(FILE_BYTES_MAX / 10));
    assert_has!(&refusals(&text)[0], &format!("longer than {FILE_BYTES_MAX} bytes"));
}

#[test]
fn too_many_rules_are_refused() {
    use std::fmt::Write as _;
    let mut text = ADMIN.to_owned();
    for number in 0..RULES_MAX {
        writeln!(text, "p, user:local:u{number}, acme, box/*, read, allow").unwrap();
    }
    assert_has!(&refusals(&text)[0], &format!("more than {RULES_MAX} p lines"));
}

#[test]
fn a_file_of_another_kind_is_told_by_its_first_thousand_lines() {
    let problems = refusals(&"p;role:member;*;box/*;delete;deny\n".repeat(50_000));
    assert_eq!(problems.len(), PROBLEMS_MAX + 1);
    assert_has!(problems.last().unwrap(), "policy.csv:1001: the lines from here on");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let mut files = PolicyFiles::from_texts(MODEL, &[("policy.csv", ADMIN)]);
    files.rules[0].1.extend_from_slice(b"# caf\xe9\n");
    assert_has!(&told(Policy::build(&files))[0], "policy.csv:2: this is not UTF-8");
}

#[test]
fn crlf_is_accepted() {
    let text = "# rules\r\n\r\np, role:platform-admin, *, **, *, allow\r\n";
    let policy = Policy::from_texts(MODEL, &[("policy.csv", text)]).unwrap();
    assert_eq!(policy.rules_count(), 1);
    let model = MODEL.replace('\n', "\r\n");
    assert!(Policy::from_texts(&model, &[("policy.csv", text)]).is_ok());
}

#[test]
fn a_last_line_without_an_end_is_accepted() {
    assert!(Policy::from_texts(MODEL, &[("policy.csv", ADMIN.trim_end())]).is_ok());
}

#[test]
fn an_empty_file_is_refused() {
    assert_has!(&refusals("")[0], "policy.csv: the file is empty");
    assert_has!(&refusals("# nothing here\n")[0], "there is no rule");
    let overlay = told(Policy::from_texts(MODEL, &[("policy.csv", ADMIN), ("site.csv", "")]));
    assert_has!(&overlay[0], "site.csv: the file is empty");
}

#[test]
fn a_file_of_comments_beside_the_rules_is_accepted() {
    let files = [("policy.csv", ADMIN), ("site.csv", "# nothing yet\n")];
    assert!(Policy::from_texts(MODEL, &files).is_ok());
}

#[test]
fn all_problems_are_told_at_once() {
    let text = format!(
        "{ADMIN}P, x\np, role:member, Acme, bx/*, raed, Deny\ng, user:bob, role:admin, acme\n"
    );
    let problems = refusals(&text);
    let places: Vec<&str> =
        problems.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    let expected = [
        "policy.csv:2:1",
        "policy.csv:3:17",
        "policy.csv:3:23",
        "policy.csv:3:29",
        "policy.csv:3:35",
        "policy.csv:4:4",
    ];
    assert_eq!(places, expected, "{problems:#?}");
    let error = Policy::from_texts(MODEL, &[("policy.csv", &text)]).unwrap_err().to_string();
    assert_has!(&error, "the policy has 6 problems\n  policy.csv:2:1: ");
}

#[test]
fn a_line_that_cannot_be_read_raises_no_problem_elsewhere() {
    assert_has!(
        refusal(
            "p, role:releaser, *, boxs/**, read, allow\ng, user:local:a, role:releaser, acme\n"
        ),
        "unknown object"
    );
    let text =
        format!("{ADMIN}g, user:bob, role:releaser, acme\np, role:releaser, *, box, read, allow\n");
    assert_eq!(refusals(&text).len(), 1);
}

#[test]
fn the_same_line_twice_in_a_file_is_refused_and_in_two_files_is_a_warning() {
    assert_has!(refusal(ADMIN), "the same as policy.csv:1");
    let files = [("policy.csv", ADMIN), ("site.csv", ADMIN)];
    let policy = Policy::from_texts(MODEL, &files).unwrap();
    assert_has!(policy.warnings()[0].to_string(), "site.csv:1: the same as policy.csv:1");
    assert_eq!(policy.rules_count(), 1);
}

#[test]
fn a_rule_about_what_is_never_asked_is_a_warning() {
    let text = format!("{ADMIN}p, role:admin, *, audit, upload, allow\n");
    let policy = Policy::from_texts(MODEL, &[("policy.csv", &text)]).unwrap();
    assert_has!(policy.warnings()[0].to_string(), "nothing ever asks for \"upload\" on \"audit\"");
}

#[test]
fn a_role_for_everybody_on_the_network_is_refused() {
    assert_has!(refusal("g, anonymous, role:member, acme\n"), "may not be given a role");
    assert_has!(refusal("g, role:public, role:member, acme\n"), "may not be given a role");
    assert_has!(refusal("g, user:local:bob, role:creator, acme\n"), "the server knows who it is");
    assert_has!(refusal("g, user:local:bob, group:ldap:x, acme\n"), "is no role");
}

#[test]
fn roles_in_a_circle_are_refused() {
    let text =
        format!("{ADMIN}g, role:member, role:a, *\ng, role:a, role:b, *\ng, role:b, role:a, *\n");
    let problems = refusals(&text);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert_has!(&problems[0], "policy.csv:3: these roles lead in a circle");
    assert_has!(&problems[1], "policy.csv:4: these roles lead in a circle");
    assert_has!(refusal("g, role:member, role:member, *\n"), "lead in a circle");
}

#[test]
fn a_chain_of_roles_too_long_is_refused_and_the_longest_allowed_works() {
    use std::fmt::Write as _;
    let chain = |length: usize| {
        let mut text = format!("{ADMIN}g, user:local:bob, role:r1, *\n");
        for number in 1..length {
            writeln!(text, "g, role:r{number}, role:r{}, *", number + 1).unwrap();
        }
        writeln!(text, "p, role:r{length}, *, box/*, read, allow").unwrap();
        text
    };
    assert_has!(&refusals(&chain(11))[0], "more than 10 g lines lead to \"role:r11\"");
    assert!(Policy::from_texts(MODEL, &[("policy.csv", &chain(10))]).is_ok());
}

#[test]
fn rules_that_lock_every_admin_out_are_refused() {
    let lone = refusals("p, role:owner, *, **, *, allow\n");
    assert_has!(&lone[0], "no platform admin could change the rules any more");
    for line in [
        "p, role:platform-admin, *, policy, *, deny\n",
        "p, authenticated, -, policy, update, deny\n",
        "p, authenticated, *, **, *, deny\n",
    ] {
        let problem = refusal(line);
        assert_has!(&problem, "no platform admin could change the rules any more");
        assert_has!(&problem, "this line denies it");
    }
}

#[test]
fn rules_that_everybody_could_change_are_refused() {
    assert_has!(refusal("p, anonymous, *, **, *, allow\n"), "everybody who is anonymous");
    assert_has!(refusal("p, authenticated, -, policy, update, allow\n"), "could change the rules");
}

#[test]
fn a_model_without_a_section_is_refused() {
    for section in
        ["request_definition", "policy_definition", "role_definition", "policy_effect", "matchers"]
    {
        let model: String = MODEL
            .split("\n\n")
            .filter(|part| !part.contains(&format!("[{section}]")))
            .collect::<Vec<_>>()
            .join("\n\n");
        let problems = model_refusals(&model);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_has!(&problems[0], &format!("section [{section}] is missing"));
    }
    assert_eq!(model_refusals("# empty\n").len(), 5);
}

#[test]
fn a_model_with_another_section_or_key_is_refused() {
    let problems = model_refusals(&MODEL.replace("[matchers]", "[matcher]"));
    assert_has!(&problems[0], "unknown section [matcher]");
    assert_has!(&problems[0], "did you mean \"matchers\"?");
    let problems = model_refusals(&MODEL.replace("\nm = ", "\nm2 = "));
    assert_has!(&problems[0], "unknown key \"m2\"");
    let problems = model_refusals(&format!("{MODEL}m = true\n"));
    assert_has!(&problems[0], "a second definition");
    assert_has!(&model_refusals(&format!("x\n{MODEL}"))[0], "before the first [section]");
    assert_has!(&model_refusals(&format!("{MODEL}x\n"))[0], "neither [section] nor key");
}

#[test]
fn an_unknown_function_in_the_matcher_is_refused() {
    let problems = model_refusals(&MODEL.replace("within(r.obj", "keyMatch2(r.obj"));
    assert_has!(&problems[0], "model.conf:");
    assert_has!(&problems[0], "unknown function \"keyMatch2\" in the matcher");
}

#[test]
fn another_matcher_is_refused() {
    let problems = model_refusals(&MODEL.replace("r.dom) && (p.dom", "r.dom) || (p.dom"));
    assert_has!(&problems[0], "the matcher is fixed");
}

#[test]
fn another_effect_expression_is_refused() {
    for effect in
        ["!some(where (p.eft == deny))", "priority(p.eft) || deny", "some(where (p.eft == allow))"]
    {
        let model: String = MODEL
            .lines()
            .map(|line| {
                if line.starts_with("e = ") {
                    format!("e = {effect}\n")
                } else {
                    format!("{line}\n")
                }
            })
            .collect();
        assert_has!(&model_refusals(&model)[0], "a deny must win over every allow");
    }
}

#[test]
fn other_definitions_are_refused() {
    let problems = model_refusals(&MODEL.replace("r = sub, dom, obj, act", "r = sub, obj, act"));
    assert_has!(&problems[0], "section [request_definition] is fixed");
    assert_has!(&problems[0], "write r = sub, dom, obj, act");
}

#[test]
fn comments_blanks_and_continued_lines_of_the_model_are_free() {
    let model = format!(
        "# ours\n\n{}",
        MODEL.replace(", ", " ,\t").replace("&& within", "&& \\\n  within")
    );
    let rules = [("policy.csv", SHIPPED)];
    let policy = Policy::from_texts(&model, &rules).unwrap();
    assert_ne!(policy.digest(), Policy::embedded().unwrap().digest());
}

/// How many lines of a text are neither blank nor comments.
fn lines_that_count(text: &str) -> usize {
    text.split('\n')
        .map(|line| line.trim_matches([' ', '\t', '\r']))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .count()
}

/// Small pieces from which texts that are nearly rules are made.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec![
            "p", "g", ", ", ",", "\n", "\r\n", "\"", "\"\"", "#", "*", "**", "/", "-", "allow",
            "deny", "Deny", "read", "box", "box/**", "role:member", "role:owner", "user:local:a",
            "anonymous", "acme", " ", "\t", ";", "\u{feff}", "\u{0}", "\\", "[", "=",
        ]).prop_map(str::to_owned),
        2 => Just(ADMIN.to_owned()),
        2 => Just("p, role:member, *, box/**, read, deny\n".to_owned()),
        1 => any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn whatever_is_read_is_refused_or_keeps_every_line(pieces in prop::collection::vec(piece(), 0..40)) {
        let text = pieces.concat();
        let mut set = super::RuleSet::default();
        let mut problems = Vec::new();
        set.read("policy.csv", text.as_bytes(), &mut problems);
        if problems.is_empty() {
            prop_assert_eq!(set.rules.len() + set.bindings.len(), lines_that_count(&text));
        }
        super::model::check(text.as_bytes(), &mut problems);
        prop_assert!(!problems.is_empty());
    }

    #[test]
    fn a_shipped_file_with_one_character_changed_never_loses_a_line(
        at in 0..SHIPPED.len(), put in any::<char>(), delete in any::<bool>()
    ) {
        let mut text: Vec<char> = SHIPPED.chars().collect();
        if delete { text.remove(at); } else { text[at] = put; }
        let text: String = text.into_iter().collect();
        let mut set = super::RuleSet::default();
        let mut problems = Vec::new();
        set.read("policy.csv", text.as_bytes(), &mut problems);
        if problems.is_empty() {
            prop_assert_eq!(set.rules.len() + set.bindings.len(), lines_that_count(&text));
        }
    }
}
