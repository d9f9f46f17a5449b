//! Who somebody is: the search for their entry, the bind that proves it, and their groups.

use std::{
    collections::{BTreeSet, HashSet},
    future::Future,
    pin::Pin,
};

use boxvault_plugin_sdk::{
    AuthFacets, AuthProvider, Claims, Credentials, PluginError, PluginErrorKind, Result,
    async_trait,
};
use ldap3::{
    Ldap, LdapError, Scope, SearchOptions,
    adapters::{Adapter, EntriesOnly, PagedResults},
};

use crate::{
    Config,
    connection::{Connections, code, judge, unavailable},
    entry::{Entry, subject_value},
    template,
};

/// How far groups of groups are followed. Deeper is a circle, or nobody's intent.
const NESTED_MAX: usize = 10;
/// So many groups are asked about in one search.
const GROUPS_AT_ONCE: usize = 50;
/// An entry of which there is none: whoever is not known waits as long as whoever typed a wrong password.
const NOBODY: &str = "cn=boxvault-nobody";

/// What is done with a connection.
type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A directory that signs people in.
pub(crate) struct Provider {
    config: Config,
    connections: Connections,
}

impl Provider {
    pub(crate) async fn new(config: Config) -> Result<Self> {
        Ok(Self { connections: Connections::new(config.clone()).await?, config })
    }

    /// Works with a connection that searches. One that was kept may have ended meanwhile, so then a new one is taken.
    async fn search<'a, T>(
        &'a self,
        work: impl Fn(Ldap) -> BoxFuture<'a, Result<T>> + Send,
    ) -> Result<T> {
        let connection = self.connections.searching(false).await?;
        let mut outcome = work(connection.ldap.clone()).await;
        if outcome.as_ref().is_err_and(|error| error.kind == PluginErrorKind::Unavailable) {
            self.connections.forget();
            drop(connection);
            let connection = self.connections.searching(true).await?;
            outcome = work(connection.ldap.clone()).await;
            if outcome.is_ok() {
                connection.give_back();
            }
        } else {
            connection.give_back();
        }
        outcome
    }

    /// The only entry that fits a filter.
    async fn find(
        &self,
        ldap: &mut Ldap,
        base: &str,
        scope: Scope,
        filter: &str,
    ) -> Result<Option<Entry>> {
        let Config { email_attribute, display_name_attribute, .. } = &self.config;
        let attributes = [
            self.config.subject_attribute(),
            self.config.username_attribute(),
            email_attribute,
            display_name_attribute,
        ];
        let answer = ldap
            .with_timeout(self.connections.request_timeout())
            .with_search_options(SearchOptions::new().sizelimit(2))
            .search(base, scope, filter, attributes)
            .await
            .map_err(|error| unavailable(&error))?;
        let (found, result) = (answer.0, answer.1);
        if !matches!(result.rc, code::SUCCESS | code::SIZE_LIMIT_EXCEEDED | code::NO_SUCH_OBJECT) {
            return Err(refused(result.rc, base));
        }
        let mut entries: Vec<Entry> = found.into_iter().filter_map(Entry::new).collect();
        match entries.len() {
            0 | 1 => Ok(entries.pop()),
            _ => Err(PluginError::unexpected(
                "several entries fit one name; narrow user_filter, so that one does",
            )),
        }
    }

    async fn find_user(&self, ldap: &mut Ldap, username: &str) -> Result<Option<Entry>> {
        if let Some(dn) = &self.config.user_dn {
            return self
                .find(ldap, &template::dn(dn, username), Scope::Base, "(objectClass=*)")
                .await;
        }
        let filter = template::filter(self.config.user_filter(), "", username);
        self.find(ldap, &self.config.user_base, Scope::Subtree, &filter).await
    }

    /// Finds somebody who signed in before.
    async fn find_subject(&self, ldap: &mut Ldap, subject: &str) -> Result<Entry> {
        let missing = || PluginError::not_found("there is no such account");
        let attribute = self.config.subject_attribute();
        let value = subject_value(attribute, subject).ok_or_else(missing)?;
        let filter = format!("({attribute}={value})");
        let found = self.find(ldap, &self.config.user_base, Scope::Subtree, &filter).await?;
        found.ok_or_else(missing)
    }

    async fn is_disabled(&self, ldap: &mut Ldap, entry: &Entry) -> Result<bool> {
        let Some(filter) = self.config.disabled_filter() else { return Ok(false) };
        let found = self.find(ldap, entry.dn(), Scope::Base, filter).await?;
        Ok(found.is_some())
    }

    /// Tells who it is, or that they may not sign in.
    async fn claims(&self, ldap: &mut Ldap, entry: &Entry) -> Result<Claims> {
        if self.is_disabled(ldap, entry).await? {
            return Err(PluginError::new(
                PluginErrorKind::AccountDisabled,
                "the account is disabled",
            ));
        }
        let needed = |attribute: &str| {
            entry.first(attribute).ok_or_else(|| {
                PluginError::unexpected(format!(
                    "an entry has no {attribute} that bind_dn can read; look at the directory's access rules"
                ))
            })
        };
        let username = needed(self.config.username_attribute())?;
        let email = entry.first(&self.config.email_attribute);
        Ok(Claims {
            issuer: self.config.urls.first().cloned().unwrap_or_default(),
            subject: needed(self.config.subject_attribute())?,
            email_verified: self.config.email_verified && email.is_some(),
            email,
            display_name: entry.first(&self.config.display_name_attribute),
            groups: self.groups_of(ldap, entry.dn(), &username).await?,
            username,
            ..Claims::default()
        })
    }

    /// The groups of an entry, and where that is wanted the groups that those are in.
    async fn groups_of(&self, ldap: &mut Ldap, dn: &str, username: &str) -> Result<Vec<String>> {
        let Some(base) = self.config.group_base.as_deref() else { return Ok(Vec::new()) };
        let filter = template::filter(self.config.group_filter(), dn, username);
        let mut found = self.groups_by(ldap, base, &filter).await?;
        let (mut seen, mut names) = (HashSet::new(), BTreeSet::new());
        for depth in 0.. {
            let mut new = Vec::new();
            for (dn, name) in found {
                if seen.insert(dn.to_lowercase()) {
                    names.extend(name);
                    new.push(dn);
                }
            }
            if new.is_empty() || !self.config.nested_groups || depth >= NESTED_MAX {
                break;
            }
            found = Vec::new();
            for some in new.chunks(GROUPS_AT_ONCE) {
                let parts = some
                    .iter()
                    .map(|dn| template::filter(self.config.nested_group_filter(), dn, ""));
                let filter = format!("(|{})", parts.collect::<String>());
                found.extend(self.groups_by(ldap, base, &filter).await?);
            }
        }
        Ok(names.into_iter().collect())
    }

    /// Entry and name of each group that a filter finds, page by page.
    async fn groups_by(
        &self,
        ldap: &mut Ldap,
        base: &str,
        filter: &str,
    ) -> Result<Vec<(String, Option<String>)>> {
        let attribute = self.config.group_attribute.as_str();
        let is_dn = attribute.eq_ignore_ascii_case("dn");
        let wanted = vec![if is_dn { "1.1" } else { attribute }.to_owned()];
        let adapters: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> =
            vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(self.config.page_size))];
        let broken = |error: LdapError| unavailable(&error);
        let mut stream = ldap
            .with_timeout(self.connections.request_timeout())
            .streaming_search_with(adapters, base, Scope::Subtree, filter, wanted)
            .await
            .map_err(broken)?;
        let mut groups = Vec::new();
        while let Some(result) = stream.next().await.map_err(broken)? {
            let Some(entry) = Entry::new(result) else { continue };
            let dn = entry.dn().to_owned();
            let name = if is_dn { Some(dn.clone()) } else { entry.first(attribute) };
            groups.push((dn, name));
        }
        let result = stream.finish().await;
        match result.rc {
            code::SUCCESS | code::NO_SUCH_OBJECT => Ok(groups),
            other => Err(refused(other, base)),
        }
    }

    /// Asks the directory whether a password is somebody's, on a connection of its own.
    async fn prove(&self, dn: &str, credentials: &Credentials) -> Result<Ldap> {
        let mut ldap = self.connections.open().await?;
        let answer = ldap
            .with_timeout(self.connections.request_timeout())
            .simple_bind(dn, credentials.password.expose())
            .await
            .map_err(|error| unavailable(&error))?;
        judge(answer.rc, &answer.text)?;
        Ok(ldap)
    }

    /// Signs in somebody whose name tells their entry. Without an account that searches, they read it themselves.
    async fn authenticate_by_name(&self, dn: &str, credentials: &Credentials) -> Result<Claims> {
        let mut ldap = self.prove(dn, credentials).await?;
        let username = credentials.username.as_str();
        if self.config.bind_dn.is_none() {
            let found = self.find_user(&mut ldap, username).await?;
            let entry = found.ok_or_else(PluginError::bad_credentials)?;
            return self.claims(&mut ldap, &entry).await;
        }
        self.search(|mut ldap| {
            Box::pin(async move {
                let found = self.find_user(&mut ldap, username).await?;
                self.claims(&mut ldap, &found.ok_or_else(PluginError::bad_credentials)?).await
            })
        })
        .await
    }
}

fn refused(code: u32, base: &str) -> PluginError {
    PluginError::unavailable(format!("the directory refuses to search {base:?} with code {code}"))
}

#[async_trait]
impl AuthProvider for Provider {
    fn facets(&self) -> AuthFacets {
        let by_search = self.config.user_dn.is_none() || self.config.bind_dn.is_some();
        let asked_again =
            if by_search { AuthFacets::REFRESH | AuthFacets::GROUPS } else { AuthFacets::NONE };
        AuthFacets::PASSWORD | asked_again
    }

    async fn health(&self) -> Result<()> {
        self.search(|mut ldap| {
            Box::pin(async move {
                let answer = ldap
                    .with_timeout(self.connections.request_timeout())
                    .search("", Scope::Base, "(objectClass=*)", ["1.1"])
                    .await;
                answer.map(drop).map_err(|error| unavailable(&error))
            })
        })
        .await
    }

    async fn authenticate_password(&self, credentials: Credentials) -> Result<Claims> {
        credentials.check()?;
        let username = credentials.username.as_str();
        if let Some(dn) = &self.config.user_dn {
            return self.authenticate_by_name(&template::dn(dn, username), &credentials).await;
        }
        let find = |mut ldap| -> BoxFuture<'_, _> {
            Box::pin(async move { self.find_user(&mut ldap, username).await })
        };
        let found = self.search(find).await?;
        let Some(entry) = found else {
            let nobody = format!("{NOBODY},{}", self.config.user_base);
            return match self.prove(&nobody, &credentials).await {
                Err(error) if error.kind == PluginErrorKind::Unavailable => Err(error),
                _ => Err(PluginError::bad_credentials()),
            };
        };
        drop(self.prove(entry.dn(), &credentials).await?);
        let entry = &entry;
        self.search(|mut ldap| Box::pin(async move { self.claims(&mut ldap, entry).await })).await
    }

    async fn refresh(&self, subject: &str) -> Result<Claims> {
        self.search(|mut ldap| {
            Box::pin(async move {
                let entry = self.find_subject(&mut ldap, subject).await?;
                self.claims(&mut ldap, &entry).await
            })
        })
        .await
    }

    async fn groups(&self, subject: &str) -> Result<Vec<String>> {
        self.refresh(subject).await.map(|claims| claims.groups)
    }
}
