//! Listings in the order of their keys, page by page.
//!
//! OpenDAL promises no order, and a page must not cost a walk over everything. So the tree is walked
//! folder by folder: the entries of one folder are sorted (a folder's name with its slash at the
//! end, which is where its keys belong among its neighbors), and a folder whose keys all lie before
//! the page is not entered. A page costs the folders that it touches.
//!
//! A service whose listings have the order of the keys anyway is asked for the page itself.

use std::{future::Future, time::SystemTime};

use boxvault_plugin_sdk::{
    ObjectEntry, Result,
    storage::{LIST_LIMIT_MAX, check_key},
};
use futures_util::TryStreamExt;
use opendal::{Entry, EntryMode, Operator};

use crate::error::from_opendal;

/// One page of a listing.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// What all keys begin with.
    pub prefix: &'a str,
    /// A key that all of them come after.
    pub after: &'a str,
    /// How many keys at most.
    pub limit: u32,
    /// A first segment that is not shown.
    pub hidden: Option<&'a str>,
}

/// One row of a folder, with its whole key.
#[derive(Clone, Debug)]
pub enum Found {
    /// A folder; its key ends with a slash.
    Folder(String),
    /// An object.
    Object(ObjectEntry),
}

impl Found {
    fn key(&self) -> &str {
        match self {
            Self::Folder(key) => key,
            Self::Object(entry) => &entry.key,
        }
    }
}

impl Page<'_> {
    /// Whether nothing that begins with the prefix is shown.
    fn is_hidden(&self) -> bool {
        let first = self.prefix.split_once('/').map(|(first, _)| first);
        self.hidden.is_some() && first == self.hidden
    }

    /// Walks folders. `folder` gives what is in one, whose key ends with a slash, or is empty at the top; in any order,
    /// and nothing if there is no such folder.
    ///
    /// # Errors
    /// Those of `folder`.
    pub async fn walk<F>(&self, folder: impl Fn(String) -> F) -> Result<Vec<ObjectEntry>>
    where
        F: Future<Output = Result<Vec<Found>>>,
    {
        let limit = self.limit.min(LIST_LIMIT_MAX) as usize;
        if self.is_hidden() {
            return Ok(Vec::new());
        }
        let start = self.start();
        if !start.is_empty() && check_key(start.trim_end_matches('/')).is_err() {
            // no key lies there, and what does may be another's
            return Ok(Vec::new());
        }
        let mut page = Vec::new();
        // What is still to be looked at, the next one last.
        let mut waiting = self.matching(folder(start.to_owned()).await?);
        while page.len() < limit {
            match waiting.pop() {
                Some(Found::Object(entry)) => page.push(entry),
                Some(Found::Folder(key)) => waiting.extend(self.matching(folder(key).await?)),
                None => break,
            }
        }
        Ok(page)
    }

    /// The folder that all keys of the page lie in.
    pub fn start(&self) -> &str {
        self.prefix.rfind('/').map_or("", |slash| &self.prefix[..=slash])
    }

    /// What matters in one folder, in reverse order.
    fn matching(&self, mut rows: Vec<Found>) -> Vec<Found> {
        rows.retain(|row| match row {
            Found::Folder(key) => self.may_hold(key),
            Found::Object(entry) => self.holds(&entry.key),
        });
        rows.sort_by(|a, b| b.key().cmp(a.key()));
        rows
    }

    /// The page of a service of OpenDAL's.
    pub(crate) async fn read(&self, operator: &Operator) -> Result<Vec<ObjectEntry>> {
        self.walk(|folder| rows_of(operator, folder)).await
    }

    /// The same from a service that lists everything below a prefix in the order of the keys.
    pub(crate) async fn read_in_order(&self, operator: &Operator) -> Result<Vec<ObjectEntry>> {
        if self.is_hidden() {
            return Ok(Vec::new());
        }
        let limit = self.limit.min(LIST_LIMIT_MAX) as usize;
        let mut lister = operator.lister_with(self.prefix).recursive(true).limit(limit);
        if !self.after.is_empty() {
            lister = lister.start_after(self.after);
        }
        let mut lister = lister.await.map_err(from_opendal)?;
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(entry) = lister.try_next().await.map_err(from_opendal)? else { break };
            if entry.metadata().mode() == EntryMode::FILE
                && self.holds(entry.path())
                && (self.hidden.is_none() || entry.path().split('/').next() != self.hidden)
            {
                found.push(object(entry));
            }
        }
        Ok(found)
    }

    fn holds(&self, key: &str) -> bool {
        key.starts_with(self.prefix) && key > self.after && check_key(key).is_ok()
    }

    /// Says whether a folder can hold keys of this page.
    fn may_hold(&self, folder: &str) -> bool {
        let shown = self.hidden.is_none_or(|hidden| folder.trim_end_matches('/') != hidden);
        let prefixed = folder.starts_with(self.prefix) || self.prefix.starts_with(folder);
        let later = folder > self.after || self.after.starts_with(folder);
        shown && prefixed && later
    }
}

/// What is in a folder of an operator's.
///
/// # Errors
/// What the service says.
pub async fn rows_of(operator: &Operator, folder: String) -> Result<Vec<Found>> {
    // OpenDAL's name for the top
    let path = if folder.is_empty() { "/" } else { &folder };
    let entries = operator.list(path).await.map_err(from_opendal)?;
    let found = entries.into_iter().filter(|entry| entry.path() != path).filter_map(|entry| {
        match entry.metadata().mode() {
            EntryMode::DIR => Some(Found::Folder(entry.path().to_owned())),
            EntryMode::FILE => Some(Found::Object(object(entry))),
            EntryMode::Unknown => None,
        }
    });
    Ok(found.collect())
}

fn object(entry: Entry) -> ObjectEntry {
    let (key, meta) = entry.into_parts();
    let modified = meta.last_modified().map(SystemTime::from);
    ObjectEntry { key, size: meta.content_length(), modified }
}
