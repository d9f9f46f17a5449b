//! Listings in the order of their keys, page by page.
//!
//! OpenDAL promises no order, and a page must not cost a walk over everything. So the tree is walked
//! folder by folder: the entries of one folder are sorted (a folder's name with its slash at the
//! end, which is where its keys belong among its neighbors), and a folder whose keys all lie before
//! the page is not entered. A page costs the folders that it touches.
//!
//! A service whose listings have the order of the keys anyway is asked for the page itself.

use std::time::SystemTime;

use boxvault_plugin_sdk::{
    ObjectEntry, Result,
    storage::{LIST_LIMIT_MAX, check_key},
};
use futures_util::TryStreamExt;
use opendal::{Entry, EntryMode, Operator};

use crate::error::from_opendal;

/// One page of a listing.
pub(crate) struct Page<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) after: &'a str,
    pub(crate) limit: u32,
    /// A first segment that is not shown.
    pub(crate) hidden: Option<&'a str>,
}

impl Page<'_> {
    pub(crate) async fn read(&self, operator: &Operator) -> Result<Vec<ObjectEntry>> {
        let limit = self.limit.min(LIST_LIMIT_MAX) as usize;
        if self.hidden.is_some()
            && self.prefix.split_once('/').map(|(first, _)| first) == self.hidden
        {
            return Ok(Vec::new());
        }
        let start = self.prefix.rfind('/').map_or("/", |slash| &self.prefix[..=slash]);
        let mut found = Vec::new();
        // Entries that are still to be looked at, the next one last.
        let mut waiting = self.folder(operator, start).await?;
        while found.len() < limit {
            let Some((path, entry)) = waiting.pop() else { break };
            match entry {
                Some(entry) => found.push(entry),
                None => waiting.extend(self.folder(operator, &path).await?),
            }
        }
        Ok(found)
    }

    /// The same from a service that lists everything below a prefix in the order of the keys.
    pub(crate) async fn read_in_order(&self, operator: &Operator) -> Result<Vec<ObjectEntry>> {
        let limit = self.limit.min(LIST_LIMIT_MAX) as usize;
        let mut lister = operator.lister_with(self.prefix).recursive(true).limit(limit);
        if !self.after.is_empty() {
            lister = lister.start_after(self.after);
        }
        let mut lister = lister.await.map_err(from_opendal)?;
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(entry) = lister.try_next().await.map_err(from_opendal)? else { break };
            if entry.metadata().mode() == EntryMode::FILE && self.holds(entry.path()) {
                found.push(object(entry));
            }
        }
        Ok(found)
    }

    /// What matters in one folder, in reverse order; folders have no entry.
    async fn folder(
        &self,
        operator: &Operator,
        folder: &str,
    ) -> Result<Vec<(String, Option<ObjectEntry>)>> {
        let mut rows = Vec::new();
        for entry in operator.list(folder).await.map_err(from_opendal)? {
            let path = entry.path().to_owned();
            if path == folder {
                continue;
            }
            match entry.metadata().mode() {
                EntryMode::DIR if self.may_hold(&path) => rows.push((path, None)),
                EntryMode::FILE if self.holds(&path) => rows.push((path, Some(object(entry)))),
                _ => {}
            }
        }
        rows.sort_by(|(a, _), (b, _)| b.cmp(a));
        Ok(rows)
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

fn object(entry: Entry) -> ObjectEntry {
    let (key, meta) = entry.into_parts();
    let modified = meta.last_modified().map(SystemTime::from);
    ObjectEntry { key, size: meta.content_length(), modified }
}
