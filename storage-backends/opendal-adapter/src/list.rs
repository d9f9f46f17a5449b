//! Listings in the order of their keys, page by page.
//!
//! OpenDAL promises no order, and a page must not cost a walk over everything. So the tree is walked
//! folder by folder: the entries of one folder are sorted (a folder's name with its slash at the
//! end, which is where its keys belong among its neighbors), and a folder whose keys all lie before
//! the page is not entered. A page costs the folders that it touches.

use std::time::SystemTime;

use boxvault_plugin_sdk::{
    ObjectEntry, Result,
    storage::{LIST_LIMIT_MAX, check_key},
};
use opendal::{EntryMode, Operator};

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

    /// What matters in one folder, in reverse order; folders have no entry.
    async fn folder(
        &self,
        operator: &Operator,
        folder: &str,
    ) -> Result<Vec<(String, Option<ObjectEntry>)>> {
        let mut rows = Vec::new();
        for entry in operator.list(folder).await.map_err(from_opendal)? {
            let (path, meta) = entry.into_parts();
            if path == folder {
                continue;
            }
            match meta.mode() {
                EntryMode::DIR if self.may_hold(&path) => rows.push((path, None)),
                EntryMode::FILE if self.holds(&path) => {
                    let modified = meta.last_modified().map(SystemTime::from);
                    let size = meta.content_length();
                    rows.push((path.clone(), Some(ObjectEntry { key: path, size, modified })));
                }
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
