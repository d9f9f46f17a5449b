//! Whatever is thrown at the parsers, they say yes or no, and what they take is printed and read again as the same.
//!
//! Texts are made from a seed: shipped files with bytes changed, lines torn and joined, and plain noise. The usual run
//! is short; `BOXVAULT_FUZZ_SECONDS=600` goes on for so long, each time from another seed, which a failure names.

use std::time::{Duration, Instant, SystemTime};

use crate::error::Problem;
use crate::expectations::Expectations;
use crate::format_file;
use crate::rules::{RuleSet, model};

const ROUNDS: u64 = 3_000;
const SHIPPED: [(&str, &str); 3] = [
    ("policy.csv", include_str!("../../../../policies/policy.csv")),
    ("tests.csv", include_str!("../../../../policies/tests.csv")),
    ("model.conf", include_str!("../../../../policies/model.conf")),
];
/// What mistakes are made of.
const PIECES: [&str; 30] = [
    ",",
    ", ",
    "\"",
    "\"\"",
    "#",
    "\n",
    "\r\n",
    "\r",
    ";",
    "*",
    "**",
    "/",
    "\\",
    "[",
    "=",
    "p, ",
    "g, ",
    "P, ",
    "role:",
    "user:local:",
    "group:ldap:CN=a,OU=b",
    "allow",
    "deny",
    "Deny",
    "-",
    "\u{feff}",
    "\u{200b}",
    "\0",
    "\t",
    "é",
];

/// A small generator of numbers (splitmix64), so that a seed says everything.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// A name, and bytes that may be a file of that name.
fn file(numbers: &mut Numbers) -> (&'static str, Vec<u8>) {
    let (name, text) = *numbers.pick(&SHIPPED);
    let mut bytes = match numbers.below(8) {
        0 => (0..numbers.below(200)).map(|_| numbers.next().to_le_bytes()[0]).collect(),
        1 => (0..numbers.below(60)).flat_map(|_| numbers.pick(&PIECES).bytes()).collect(),
        // a few lines of the file, so that what is changed is not drowned by what is not
        _ => {
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            let kept = (0..=numbers.below(12)).map(|_| *numbers.pick(&lines));
            kept.collect::<String>().into_bytes()
        }
    };
    for _ in 0..numbers.below(5) {
        let at = numbers.below(bytes.len() + 1);
        match numbers.below(4) {
            0 if at < bytes.len() => bytes[at] = numbers.next().to_le_bytes()[0],
            1 if at < bytes.len() => {
                bytes.remove(at);
            }
            2 => bytes.truncate(at),
            _ => drop(bytes.splice(at..at, numbers.pick(&PIECES).bytes())),
        }
    }
    (name, bytes)
}

/// Everything that a file says, without its places; or its problems.
fn read(name: &str, bytes: &[u8]) -> Result<Vec<String>, Vec<Problem>> {
    let mut problems = Vec::new();
    let said = match name {
        "model.conf" => {
            model::check(bytes, &mut problems);
            Vec::new()
        }
        "tests.csv" => {
            let mut expectations = Expectations::default();
            expectations.read(name, bytes, &mut problems);
            expectations.said()
        }
        _ => {
            let mut set = RuleSet::default();
            set.read(name, bytes, &mut problems);
            let rules = set.rules.iter().map(|rule| format!("{:?}", rule.fields()));
            let bindings = set.bindings.iter().map(|binding| format!("{:?}", binding.fields()));
            rules.chain(bindings).collect()
        }
    };
    if problems.is_empty() { Ok(said) } else { Err(problems) }
}

/// True when the file was taken.
fn try_seed(seed: u64) -> bool {
    let (name, bytes) = file(&mut Numbers(seed));
    let shown = || format!("seed {seed}, {name}: {:?}", String::from_utf8_lossy(&bytes));
    match read(name, &bytes) {
        Err(problems) => {
            for problem in problems {
                assert!(!problem.message.is_empty() && problem.file == name, "{}", shown());
            }
            false
        }
        Ok(_) if name == "model.conf" => true,
        Ok(said) => {
            let printed = format_file(name, &bytes).unwrap_or_else(|_| panic!("{}", shown()));
            assert_eq!(read(name, printed.as_bytes()), Ok(said), "{}\n{printed}", shown());
            assert_eq!(format_file(name, printed.as_bytes()), Ok(printed), "{}", shown());
            true
        }
    }
}

#[test]
fn whatever_is_read_is_told_or_taken_and_printed_as_the_same() {
    let asked_for = std::env::var_os("BOXVAULT_FUZZ_SECONDS");
    let seconds = asked_for.and_then(|seconds| seconds.to_str()?.parse().ok());
    let (mut taken, mut refused) = (0_u64, 0_u64);
    let mut count = |was_taken| if was_taken { taken += 1 } else { refused += 1 };
    (0..ROUNDS).for_each(|seed| count(try_seed(seed)));
    if let Some(seconds) = seconds {
        let until = Instant::now() + Duration::from_secs(seconds);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let mut seed = u64::try_from(now.as_nanos() % u128::from(u64::MAX)).unwrap();
        while Instant::now() < until {
            count(try_seed(seed));
            seed = seed.wrapping_add(1);
        }
    }
    println!("{taken} files taken, {refused} refused");
    assert!(taken > ROUNDS / 20 && refused > ROUNDS / 20, "{taken} taken, {refused} refused");
}
