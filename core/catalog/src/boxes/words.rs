//! What boxes are found by: words of their own making, in one plain table with one index.
//!
//! Each database has a full-text index of its own, and each finds something else: `MariaDB`'s knows no word under
//! three letters and leaves out common ones, `SQLite`'s is a second table kept by triggers, and all three cut `debian-12`
//! in another way. Here a word is a row, a search is a range of the index `(word, box_id)`, and every database answers
//! alike. What a box is filtered by is a word, too, with a mark in front that no word of a text begins with.

use std::collections::BTreeMap;

use boxvault_types::names::{ArchitectureName, BoxName, ProviderName};
use boxvault_types::tags::BoxTag;
use sea_orm::prelude::Uuid;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel,
    JoinType, QueryFilter, QuerySelect,
};

use crate::Result;
use crate::artifacts::{to_provider, to_version};
use crate::entity::{
    artifacts as artifact_rows, box_words as table, providers as provider_rows,
    versions as version_rows,
};
use crate::versions::VersionStatus;

/// The longest word, in characters; what is longer is found by its beginning.
const WORD_CHARS_MAX: usize = 64;
/// The most words of one box: a short description of 255 characters has half as many at most.
const WORDS_MAX: usize = 128;
/// How much a word counts in the name, as a tag, in the short description.
const WEIGHTS: [i32; 3] = [4, 3, 1];

/// One thing that a box must have: a word exactly, or one that begins so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// A word that begins with this.
    Prefix(String),
    /// This word.
    Exact(String),
}

impl Term {
    /// The part of the index where it stands.
    pub(super) fn range(&self) -> Condition {
        let word = table::Column::Word;
        match self {
            Self::Exact(text) => Condition::all().add(word.eq(text)),
            // the last character of all: no word holds it
            Self::Prefix(text) => {
                Condition::all().add(word.gte(text)).add(word.lt(format!("{text}\u{10ffff}")))
            }
        }
    }

    /// What somebody typed: every word of it, the last characters of each still missing perhaps.
    pub(super) fn of_text(text: &str) -> Vec<Self> {
        let mut terms: Vec<_> = split(text).map(Self::Prefix).collect();
        terms.dedup();
        terms
    }

    pub(super) fn of_tag(tag: &BoxTag) -> Self {
        Self::Exact(format!("=tag:{tag}"))
    }

    /// Both of the same file, if both are given.
    pub(super) fn of_platform(
        provider: Option<&ProviderName>,
        architecture: Option<&ArchitectureName>,
    ) -> Option<Self> {
        match (provider, architecture) {
            (Some(provider), Some(architecture)) => {
                Some(Self::Exact(platform(&provider.key(), &architecture.key())))
            }
            (Some(provider), None) => Some(Self::Prefix(platform(&provider.key(), ""))),
            (None, Some(architecture)) => {
                Some(Self::Exact(format!("=architecture:{}", architecture.key())))
            }
            (None, None) => None,
        }
    }
}

fn platform(provider: &str, architecture: &str) -> String {
    format!("=platform:{provider}/{architecture}")
}

/// Words in lower case: runs of letters and digits; of `debian12` also `12`.
fn split(text: &str) -> impl Iterator<Item = String> {
    let lower = text.to_lowercase();
    let words: Vec<String> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(WORD_CHARS_MAX).collect())
        .collect();
    words.into_iter()
}

/// The ends of a word that begin where letters become digits, or digits letters.
fn ends(word: &str) -> impl Iterator<Item = &str> {
    let starts = word.char_indices().zip(word.chars().skip(1));
    starts
        .filter(|((_, before), after)| before.is_numeric() != after.is_numeric())
        .filter_map(|((at, before), _)| word.get(at + before.len_utf8()..))
}

/// The words of a box and what each counts.
pub(crate) fn words_of(
    name: &str,
    tags: &[BoxTag],
    short_description: &str,
) -> BTreeMap<String, i32> {
    let tag_text = tags.iter().map(BoxTag::as_str).collect::<Vec<_>>().join(" ");
    let mut words = BTreeMap::new();
    for (text, weight) in [name, &tag_text, short_description].into_iter().zip(WEIGHTS) {
        for word in split(text) {
            for end in ends(&word) {
                words.entry(end.to_owned()).or_insert(weight);
            }
            words.entry(word).or_insert(weight);
            if words.len() >= WORDS_MAX {
                break;
            }
        }
    }
    words.extend(tags.iter().map(|tag| (format!("=tag:{tag}"), 0)));
    words
}

/// Writes down what a box is found by; the files it is found by stay as they are.
pub(super) async fn index_texts<C: ConnectionTrait>(
    db: &C,
    box_id: Uuid,
    (name, tags, short_description): (&BoxName, &[BoxTag], &str),
) -> Result<()> {
    table::Entity::delete_many()
        .filter(table::Column::BoxId.eq(box_id))
        .filter(table::Column::OfFiles.eq(false))
        .exec(db)
        .await?;
    let words = words_of(name.as_str(), tags, short_description);
    insert(db, box_id, false, words).await
}

/// Writes down for which platforms a box has released files. The caller holds the box, so that no two do so at once.
pub(crate) async fn index_files<C: ConnectionTrait>(db: &C, box_id: Uuid) -> Result<()> {
    let platforms: Vec<(String, String)> = artifact_rows::Entity::find()
        .select_only()
        .column(provider_rows::Column::NameKey)
        .column_as(artifact_rows::Column::NameKey, "architecture")
        .distinct()
        .join(JoinType::InnerJoin, to_provider())
        .join(JoinType::InnerJoin, to_version())
        .filter(version_rows::Column::BoxId.eq(box_id))
        .filter(version_rows::Column::Status.eq(VersionStatus::Released.as_str()))
        .filter(artifact_rows::Column::BlobId.is_not_null())
        .into_tuple()
        .all(db)
        .await?;
    let mut words = BTreeMap::new();
    for (provider, architecture) in platforms {
        words.insert(platform(&provider, &architecture), 0);
        words.insert(format!("=architecture:{architecture}"), 0);
    }
    table::Entity::delete_many()
        .filter(table::Column::BoxId.eq(box_id))
        .filter(table::Column::OfFiles.eq(true))
        .exec(db)
        .await?;
    insert(db, box_id, true, words).await
}

async fn insert<C: ConnectionTrait>(
    db: &C,
    box_id: Uuid,
    of_files: bool,
    words: BTreeMap<String, i32>,
) -> Result<()> {
    if words.is_empty() {
        return Ok(());
    }
    let rows = words.into_iter().map(|(word, weight)| {
        table::Model { box_id, word, weight, of_files }.into_active_model().reset_all()
    });
    table::Entity::insert_many(rows).exec_without_returning(db).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_found_by_its_words_and_by_what_comes_after_letters() {
        let tags = [BoxTag::parse("lts").unwrap()];
        let words = words_of("Debian12-XFCE.v2", &tags, "A small Debian, for CI");
        let all: Vec<_> = words.iter().map(|(word, weight)| (word.as_str(), *weight)).collect();
        let expected = [
            ("12", 4),
            ("2", 4),
            ("=tag:lts", 0),
            ("a", 1),
            ("ci", 1),
            ("debian", 1),
            ("debian12", 4),
            ("for", 1),
            ("lts", 3),
            ("small", 1),
            ("v2", 4),
            ("xfce", 4),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn words_are_bounded_in_length_and_number() {
        let long = "x".repeat(1000);
        let many = (0..1000).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ");
        let words = words_of(&long, &[], &many);
        assert!(words.len() <= WORDS_MAX + 1, "{}", words.len());
        assert!(words.keys().all(|word| word.chars().count() <= WORD_CHARS_MAX));
    }

    #[test]
    fn what_is_typed_cannot_become_a_filter() {
        assert_eq!(
            Term::of_text("tag:linux  %_"),
            [Term::Prefix("tag".to_owned()), Term::Prefix("linux".to_owned())]
        );
        assert_eq!(Term::of_text(" - "), []);
    }
}
