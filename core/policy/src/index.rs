//! Finds the rules that fit a question without looking at the others.
//!
//! One trie over subject, domain and the segments of the object. At each place a rule holds a word, `*` or (as the
//! last segment) `**`, so a question follows at most the word and the star, and takes what hangs on a `**` on its way.
//! An action is looked at only where a rule ends: there are never more rules in one place than actions times effects.
//! The cost of a question therefore depends on its length and on how many subjects the caller is, not on how many
//! rules there are. Kinds of objects need no index of their own: a path has one kind.

use std::collections::HashMap;
use std::sync::Arc;

use boxvault_types::action::Action;

use crate::rules::words::ANY;
use crate::rules::{REST, Rule};

/// A place in the trie. The root is 0, so a 0 among the children means that there is none.
type Place = u32;
/// A domain or a segment, by number.
type Word = u32;
const NONE: Place = 0;

/// The rules by what they speak of.
pub(crate) struct RuleIndex {
    words: HashMap<Arc<str>, Word>,
    /// By number of the subject: where its rules begin.
    subjects: Vec<Place>,
    /// From a place by a word to the next.
    steps: HashMap<(Place, Word), Place>,
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    /// By `*` to the next.
    any: Place,
    /// By `**` to the last.
    rest: Place,
    /// The rules that end here.
    ends: Vec<End>,
}

#[derive(Clone, Copy)]
struct End {
    rule: u32,
    /// Absent when it is every action.
    action: Option<Action>,
    allow: bool,
}

/// The rules that matter to a decision: the first deny, and the first allow, in the order of reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Deciding {
    pub(crate) deny: Option<u32>,
    pub(crate) allow: Option<u32>,
}

/// One step of a path.
#[derive(Clone, Copy)]
enum Step {
    /// A name or a noun; absent when no rule holds it.
    Word(Option<Word>),
    /// `*` of a pattern, which only another `*` or a `**` covers.
    Any,
    /// `**` of a pattern, which only another `**` covers.
    Rest,
}

impl RuleIndex {
    /// Builds the index. `subject` numbers the subjects.
    pub(crate) fn new(rules: &[Rule], mut subject: impl FnMut(&str) -> u32) -> Self {
        let mut index = Self {
            words: HashMap::new(),
            subjects: Vec::new(),
            steps: HashMap::new(),
            nodes: vec![Node::default()],
        };
        for (number, rule) in (0_u32..).zip(rules) {
            let start = index.start(subject(&rule.subject));
            let mut place = index.step(start, &rule.domain);
            for segment in rule.object.split('/') {
                place = index.step(place, segment);
            }
            let end = End { rule: number, action: rule.action, allow: rule.allow };
            if let Some(node) = index.nodes.get_mut(place as usize) {
                node.ends.push(end);
            }
        }
        index
    }

    /// Whether any rule speaks of a subject.
    pub(crate) fn knows(&self, subject: u32) -> bool {
        self.subjects.get(subject as usize).is_some_and(|place| *place != NONE)
    }

    /// The rules that decide a question: of every subject, for an action on an object in a domain.
    pub(crate) fn deciding(
        &self,
        subjects: impl IntoIterator<Item = u32>,
        domain: &str,
        object: &str,
        action: Action,
    ) -> Deciding {
        let mut deciding = Deciding::default();
        self.fitting(subjects, domain, object, |end| {
            if end.action.is_none_or(|known| known == action) {
                let first = if end.allow { &mut deciding.allow } else { &mut deciding.deny };
                *first = Some(first.map_or(end.rule, |before| before.min(end.rule)));
            }
        });
        deciding
    }

    /// Every rule that fits a question, in the order of reading.
    pub(crate) fn all(
        &self,
        subjects: impl IntoIterator<Item = u32>,
        domain: &str,
        object: &str,
        action: Action,
    ) -> Vec<u32> {
        let mut rules = Vec::new();
        self.fitting(subjects, domain, object, |end| {
            if end.action.is_none_or(|known| known == action) {
                rules.push(end.rule);
            }
        });
        rules.sort_unstable();
        rules
    }

    /// Every rule of a subject that fits whatever fits a domain, a pattern and an action.
    pub(crate) fn covering(
        &self,
        subject: u32,
        domain: &str,
        object: &str,
        action: Option<Action>,
    ) -> Vec<u32> {
        let domain = if domain == ANY { Step::Any } else { self.word(domain) };
        let steps: Vec<Step> = object
            .split('/')
            .map(|segment| match segment {
                ANY => Step::Any,
                REST => Step::Rest,
                word => self.word(word),
            })
            .collect();
        let mut rules = Vec::new();
        self.walk(subject, domain, &steps, &mut |end| {
            if end.action.is_none() || end.action == action {
                rules.push(end.rule);
            }
        });
        rules.sort_unstable();
        rules
    }

    fn fitting(
        &self,
        subjects: impl IntoIterator<Item = u32>,
        domain: &str,
        object: &str,
        mut found: impl FnMut(End),
    ) {
        let domain = self.word(domain);
        let mut steps = Vec::with_capacity(16);
        steps.extend(object.split('/').map(|segment| self.word(segment)));
        for subject in subjects {
            self.walk(subject, domain, &steps, &mut found);
        }
    }

    fn walk(&self, subject: u32, domain: Step, steps: &[Step], found: &mut impl FnMut(End)) {
        let Some(start) = self.subjects.get(subject as usize).filter(|start| **start != NONE)
        else {
            return;
        };
        self.follow(*start, domain, &mut |place| self.descend(place, steps, found));
    }

    fn descend(&self, place: Place, steps: &[Step], found: &mut impl FnMut(End)) {
        let Some(node) = self.nodes.get(place as usize) else { return };
        // `**` is zero or more segments, so it fits here, whatever follows
        self.ends(node.rest, found);
        match steps.split_first() {
            None => node.ends.iter().copied().for_each(found),
            Some((step, rest)) => {
                self.follow(place, *step, &mut |next| self.descend(next, rest, found));
            }
        }
    }

    /// Says where a step leads: at most to two places.
    fn follow(&self, place: Place, step: Step, to: &mut impl FnMut(Place)) {
        let Some(node) = self.nodes.get(place as usize) else { return };
        if node.any != NONE && !matches!(step, Step::Rest) {
            to(node.any);
        }
        if let Step::Word(Some(word)) = step
            && let Some(next) = self.steps.get(&(place, word))
        {
            to(*next);
        }
    }

    fn ends(&self, place: Place, found: &mut impl FnMut(End)) {
        if place != NONE
            && let Some(node) = self.nodes.get(place as usize)
        {
            node.ends.iter().copied().for_each(found);
        }
    }

    fn word(&self, text: &str) -> Step {
        Step::Word(self.words.get(text).copied())
    }

    fn start(&mut self, subject: u32) -> Place {
        let subject = subject as usize;
        if subject >= self.subjects.len() {
            self.subjects.resize(subject + 1, NONE);
        }
        let fresh = self.nodes.len();
        match self.subjects.get_mut(subject) {
            Some(place) if *place == NONE => *place = number(fresh),
            place => return place.map_or(NONE, |place| *place),
        }
        self.nodes.push(Node::default());
        number(fresh)
    }

    /// The place to which a part of a rule leads; made where there is none yet.
    fn step(&mut self, place: Place, part: &str) -> Place {
        let fresh = number(self.nodes.len());
        let next = match part {
            ANY | REST => {
                let Some(node) = self.nodes.get_mut(place as usize) else { return NONE };
                let next = if part == ANY { &mut node.any } else { &mut node.rest };
                if *next == NONE {
                    *next = fresh;
                }
                *next
            }
            word => {
                let word = self.intern(word);
                *self.steps.entry((place, word)).or_insert(fresh)
            }
        };
        if next == fresh {
            self.nodes.push(Node::default());
        }
        next
    }

    fn intern(&mut self, text: &str) -> Word {
        if let Some(word) = self.words.get(text) {
            return *word;
        }
        let word = number(self.words.len());
        self.words.insert(text.into(), word);
        word
    }
}

fn number(length: usize) -> u32 {
    u32::try_from(length).expect("rules are limited in number and length")
}
