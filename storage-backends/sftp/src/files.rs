//! Files below a folder of the server.

use std::{future::Future, sync::Arc, time::SystemTime};

use boxvault_plugin_sdk::{ObjectEntry, ObjectMeta, PluginError, PluginErrorKind, Result};
use boxvault_storage_opendal::{Found, Page, Patience, STAGING};
use futures_util::TryStreamExt as _;
use openssh_sftp_client::{UnixTimeStamp, file::File, metadata::MetaData};

use crate::{
    Config,
    connection::{Connection, Connections},
};

/// What can be done with files, over any of the connections.
#[derive(Debug)]
pub(crate) struct Files {
    connections: Connections,
    root: String,
    patience: Patience,
}

impl Files {
    pub(crate) fn new(config: Config) -> Self {
        let root = config.root.trim_end_matches('/').to_owned();
        let patience = config.patience();
        Self { connections: Connections::new(config), root, patience }
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }

    /// Asks a small question, and again over another connection while it fails for a reason that may pass.
    async fn ask<T, F>(&self, work: impl Fn(Arc<Connection>) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let attempt = || async {
            let connection = self.connections.get().await?;
            connection.ask(work(Arc::clone(&connection))).await
        };
        self.patience.again(attempt).await
    }

    /// Whether the folder is there.
    pub(crate) async fn check_root(&self) -> Result<()> {
        let found = self.metadata(self.root.clone()).await;
        match found {
            Ok(data) if data.file_type().is_some_and(|kind| kind.is_dir()) => Ok(()),
            Err(error) if error.kind != PluginErrorKind::NotFound => Err(error),
            _ => Err(PluginError::invalid_config(format!(
                "root: {} is no folder there: create it, or correct root",
                self.root
            ))),
        }
    }

    async fn metadata(&self, path: String) -> Result<MetaData> {
        self.ask(|connection| {
            let path = path.clone();
            async move {
                let found = connection.sftp.fs().metadata(&path).await;
                found.map_err(|error| connection.failed(&error))
            }
        })
        .await
    }

    /// What is known of a file; a folder is none.
    pub(crate) async fn stat(&self, name: &str) -> Result<ObjectMeta> {
        let data = self.metadata(self.path(name)).await?;
        match data.len() {
            Some(size) if data.file_type().is_none_or(|kind| kind.is_file()) => {
                Ok(ObjectMeta::of_size(size).modified(modified(&data)))
            }
            _ => Err(PluginError::not_found(format!("there is no object {name}"))),
        }
    }

    /// Opens a file to read it.
    pub(crate) async fn open(&self, name: &str) -> Result<(Arc<Connection>, File)> {
        let path = self.path(name);
        self.ask(|connection| {
            let path = path.clone();
            async move {
                let file = connection.sftp.open(&path).await;
                let file = file.map_err(|error| connection.failed(&error))?;
                Ok((connection, file))
            }
        })
        .await
    }

    /// Makes a file that is not there yet, with its folders.
    pub(crate) async fn create(&self, name: &str) -> Result<(Arc<Connection>, File)> {
        match self.create_beside(name).await {
            Err(error) if error.kind == PluginErrorKind::NotFound => {
                self.make_folders_of(name).await?;
                self.create_beside(name).await
            }
            result => result,
        }
    }

    async fn create_beside(&self, name: &str) -> Result<(Arc<Connection>, File)> {
        let path = self.path(name);
        self.ask(|connection| {
            let path = path.clone();
            async move {
                let mut options = connection.sftp.options();
                let file = options.write(true).create(true).truncate(true).open(&path).await;
                let file = file.map_err(|error| connection.failed(&error))?;
                Ok((connection, file))
            }
        })
        .await
    }

    /// Gives a file another name, in one step, also when the name is taken.
    pub(crate) async fn rename(&self, from: &str, to: &str) -> Result<()> {
        match self.rename_beside(from, to).await {
            Err(error) if error.kind == PluginErrorKind::NotFound => {
                self.make_folders_of(to).await?;
                self.rename_beside(from, to).await
            }
            result => result,
        }
    }

    async fn rename_beside(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (self.path(from), self.path(to));
        self.ask(|connection| {
            let (from, to) = (from.clone(), to.clone());
            async move {
                let renamed = connection.sftp.fs().rename(&from, &to).await;
                renamed.map_err(|error| connection.failed(&error))
            }
        })
        .await
    }

    /// Makes the folders that a file lies in. One that is there is refused without a reason, so none is looked at: what
    /// comes next says whether they are there.
    async fn make_folders_of(&self, name: &str) -> Result<()> {
        for (end, _) in name.match_indices('/') {
            let path = self.path(name.get(..end).unwrap_or_default());
            let made = self
                .ask(|connection| {
                    let path = path.clone();
                    async move {
                        let made = connection.sftp.fs().create_dir(&path).await;
                        made.map_err(|error| connection.failed(&error))
                    }
                })
                .await;
            match made {
                Err(error) if error.retry || error.kind == PluginErrorKind::PermissionDenied => {
                    return Err(error);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes a file.
    pub(crate) async fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        self.ask(|connection| {
            let path = path.clone();
            async move {
                let removed = connection.sftp.fs().remove_file(&path).await;
                removed.map_err(|error| connection.failed(&error))
            }
        })
        .await
    }

    /// A page of what lies below a prefix, after a name.
    pub(crate) async fn list(
        &self,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        let hidden = (!prefix.starts_with(STAGING)).then_some(STAGING);
        let page = Page { prefix, after, limit, hidden };
        page.walk(|folder| self.folder(folder)).await
    }

    async fn folder(&self, folder: String) -> Result<Vec<Found>> {
        let path = self.path(&folder);
        let read = self.ask(|connection| {
            let path = path.clone();
            async move {
                let opened = connection.sftp.fs().open_dir(&path).await;
                let rows = opened.map_err(|error| connection.failed(&error))?.read_dir();
                let rows: Vec<_> = Box::pin(rows)
                    .try_collect()
                    .await
                    .map_err(|error| connection.failed(&error))?;
                Ok(rows)
            }
        });
        let rows = match read.await {
            Err(error) if error.kind == PluginErrorKind::NotFound => return Ok(Vec::new()),
            rows => rows?,
        };
        let found = rows.iter().filter_map(|row| {
            let name = row.filename().to_str().filter(|name| !matches!(*name, "." | ".."))?;
            let (key, data) = (format!("{folder}{name}"), row.metadata());
            let kind = data.file_type()?;
            if kind.is_dir() {
                return Some(Found::Folder(format!("{key}/")));
            }
            let size = data.len().filter(|_| kind.is_file())?;
            Some(Found::Object(ObjectEntry { key, size, modified: modified(&data) }))
        });
        Ok(found.collect())
    }
}

fn modified(data: &MetaData) -> Option<SystemTime> {
    data.modified().map(UnixTimeStamp::as_system_time)
}
