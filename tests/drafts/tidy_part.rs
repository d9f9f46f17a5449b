#[test]
fn every_test_in_the_table_of_defects_is_there() {
    let table = read(&workspace::root().join("tests/README.md"));
    let mut problems = Vec::new();
    let mut named = BTreeSet::new();
    for line in table.lines().filter(|line| line.starts_with("| W-")) {
        let tests: Vec<_> = line
            .split('`')
            .filter(|word| word.contains("::"))
            .filter_map(|word| word.split_once("::"))
            .collect();
        if tests.is_empty() {
            problems.push(format!("no test stands in: {line}"));
        }
        for (module, test) in tests {
            let path = workspace::root().join(format!("tests/integration/{module}.rs"));
            let text = fs::read_to_string(path).unwrap_or_default();
            if !text.contains(&format!("async fn {test}()")) {
                problems.push(format!("tests/integration/{module}.rs has no test {test}"));
            }
            named.insert(test.to_owned());
        }
    }
    assert!(named.len() > 40, "the table has shrunk to {} tests", named.len());
    // and whoever names a test after a number adds it to the table
    for (path, text) in rust_files().filter(|(path, _)| path.starts_with("tests/integration/")) {
        for test in text.split("async fn w").skip(1).filter_map(|rest| rest.split('(').next()) {
            let has_number = test.get(..3).is_some_and(|start| {
                start.ends_with('_') && start[..2].bytes().all(|c| c.is_ascii_digit())
            });
            if has_number && !named.contains(&format!("w{test}")) {
                problems.push(format!("{path}: w{test} is in no row of the table"));
            }
        }
    }
    none(&problems, "Mend the table in tests/README.md, or bring the test back.");
}

