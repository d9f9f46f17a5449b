//! A loaded auth plugin as the trait that its author wrote.
//!
//! The host refuses by itself what no provider may be asked about (an empty password first of all),
//! and does not believe claims that name nobody.
#![expect(unsafe_code, reason = "calls the functions of the auth table")]

use std::{ffi::c_void, sync::Arc};

use async_trait::async_trait;
use boxvault_plugin_sdk::{
    AuthFacets, AuthProvider, Claims, Credentials, LogoutNotice, PluginError, RedirectFinish,
    RedirectRequest, RedirectStart, Result, Secret, abi,
    auth::{PASSWORD_BYTES_MAX, USERNAME_BYTES_MAX},
    crossing::lend,
    serde::{Serialize, de::DeserializeOwned},
};

use crate::{
    bridge::{Handle, Reply},
    counters::PluginCounters,
    gate::{self, Gate},
    library::{Library, PluginInfo, Table},
    options::{Deadlines, HostOptions},
    status::PluginStatus,
};

/// An instance of an auth plugin. Cloning is cheap and shares the instance.
#[derive(Clone, Debug)]
pub struct LoadedAuthProvider {
    instance: Arc<Instance>,
}

#[derive(Debug)]
struct Instance {
    library: Arc<Library>,
    table: abi::AuthTable,
    handle: Arc<Handle>,
    facets: AuthFacets,
    deadlines: Deadlines,
    gate: Option<Gate>,
}

/// A function of the table that takes one text.
type TextFunction = unsafe extern "C" fn(*mut c_void, abi::Str, abi::Completion);

impl LoadedAuthProvider {
    pub(crate) async fn create(
        library: Arc<Library>,
        config: &str,
        options: &HostOptions,
    ) -> Result<Self> {
        let (deadlines, gate) = (options.deadlines, Gate::new(options.calls));
        let Table::Auth(table) = library.table else {
            return Err(PluginError::unsupported("signing in"));
        };
        let handle =
            library.instance(table.validate, table.create, config, deadlines.create).await?;
        let facets = function(table.facets)?;
        // SAFETY: the handle is an instance of this table, and alive.
        let facets = AuthFacets::from_bits(unsafe { facets(handle.as_ptr()) });
        let handle = Arc::new(handle);
        Ok(Self {
            instance: Arc::new(Instance { library, table, handle, facets, deadlines, gate }),
        })
    }

    /// What the plugin says about itself.
    pub fn info(&self) -> &PluginInfo {
        &self.instance.library.info
    }

    /// What can be said of the plugin now.
    pub fn status(&self) -> PluginStatus {
        self.instance.library.status()
    }

    /// What the plugin has done so far, all its instances together.
    pub fn counters(&self) -> PluginCounters {
        self.instance.library.bridge.counters()
    }
}

/// A function of a table; the handshake has checked that the required ones are there.
fn function<F>(function: Option<F>) -> Result<F> {
    function.ok_or_else(|| PluginError::unsupported("this operation"))
}

impl Instance {
    fn require(&self, facet: AuthFacets, what: &str) -> Result<()> {
        if self.facets.contains(facet) { Ok(()) } else { Err(PluginError::unsupported(what)) }
    }

    async fn call(
        &self,
        operation: &'static str,
        function: impl FnOnce(*mut c_void, abi::Completion) + Send,
    ) -> Result<Reply> {
        let (bridge, deadline) = (self.library.bridge, self.deadlines.authenticate);
        let called = async {
            let pass = gate::enter(self.gate.as_ref(), deadline).await?;
            bridge.call_on(operation, (&self.handle, pass), deadline, function).await
        };
        called.await.map_err(|error| self.failed(operation, error))
    }

    async fn call_with_text(
        &self,
        operation: &'static str,
        function: Option<TextFunction>,
        text: &str,
    ) -> Result<Reply> {
        let function = self::function(function)?;
        // SAFETY: a function of the table on one of its instances; the text is lent for the call.
        self.call(operation, |instance, done| unsafe { function(instance, lend(text), done) }).await
    }

    /// Says which plugin failed on what; wrong credentials stay as they are, for everybody alike.
    fn failed(&self, operation: &str, error: PluginError) -> PluginError {
        if error.kind == boxvault_plugin_sdk::PluginErrorKind::BadCredentials {
            return PluginError::bad_credentials();
        }
        let name = &self.library.info.name;
        error.context(format_args!("auth plugin {name:?} failed at {operation}"))
    }

    fn claims(&self, reply: &Reply) -> Result<Claims> {
        let claims: Claims = self.json(reply)?;
        claims.check().map_err(|error| self.library.bridge.violation(&error.message))?;
        Ok(claims)
    }

    fn json<T: DeserializeOwned>(&self, reply: &Reply) -> Result<T> {
        // The text of the JSON error could quote what a provider knows about somebody.
        serde_json::from_slice(&reply.data).map_err(|_| {
            self.library.bridge.violation("the plugin answered with JSON of another shape")
        })
    }
}

fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| PluginError::unexpected(error.to_string()))
}

fn check_subject(subject: &str) -> Result<()> {
    let fine = !subject.is_empty()
        && subject.len() <= USERNAME_BYTES_MAX
        && !subject.contains(char::is_control);
    if fine { Ok(()) } else { Err(PluginError::invalid_input("bad subject")) }
}

#[async_trait]
impl AuthProvider for LoadedAuthProvider {
    fn facets(&self) -> AuthFacets {
        self.instance.facets
    }

    async fn health(&self) -> Result<()> {
        let this = &*self.instance;
        let health = function(this.table.health)?;
        // SAFETY: the table's `health` on one of its instances.
        this.call("health", |instance, done| unsafe { health(instance, done) }).await.map(drop)
    }

    async fn authenticate_password(&self, credentials: Credentials) -> Result<Claims> {
        let this = &*self.instance;
        this.require(AuthFacets::PASSWORD, "signing in by password")?;
        credentials.check()?;
        let authenticate = function(this.table.authenticate_password)?;
        let reply = this.call("sign-in", |instance, done| {
            let username = lend(&credentials.username);
            let password = lend(credentials.password.expose());
            // SAFETY: the table's function on one of its instances; both texts are lent.
            unsafe { authenticate(instance, username, password, done) };
        });
        this.claims(&reply.await?)
    }

    async fn start_redirect(&self, request: RedirectRequest) -> Result<RedirectStart> {
        let this = &*self.instance;
        this.require(AuthFacets::REDIRECT, "signing in by redirect")?;
        let text = to_json(&request)?;
        let reply = this.call_with_text("redirect", this.table.start_redirect, &text).await?;
        let start: RedirectStart = this.json(&reply)?;
        if start.url.starts_with("https://") || start.url.starts_with("http://") {
            Ok(start)
        } else {
            Err(this.library.bridge.violation("the redirect address is not http or https"))
        }
    }

    async fn finish_redirect(&self, callback: RedirectFinish) -> Result<Claims> {
        let this = &*self.instance;
        this.require(AuthFacets::REDIRECT, "signing in by redirect")?;
        let text = to_json(&callback)?;
        let reply = this.call_with_text("callback", this.table.finish_redirect, &text).await?;
        this.claims(&reply)
    }

    async fn read_logout_notice(&self, notice: Secret) -> Result<LogoutNotice> {
        let this = &*self.instance;
        this.require(AuthFacets::LOGOUT_NOTICE, "hearing of ended sessions")?;
        if notice.is_empty() || notice.expose().len() > PASSWORD_BYTES_MAX {
            return Err(PluginError::bad_credentials());
        }
        let read = this.table.read_logout_notice;
        let reply = this.call_with_text("logout notice", read, notice.expose()).await?;
        let notice: LogoutNotice = this.json(&reply)?;
        notice.check().map_err(|error| this.library.bridge.violation(&error.message))?;
        Ok(notice)
    }

    async fn introspect_token(&self, token: Secret) -> Result<Claims> {
        let this = &*self.instance;
        this.require(AuthFacets::INTROSPECT, "token introspection")?;
        if token.is_empty() || token.expose().len() > PASSWORD_BYTES_MAX {
            return Err(PluginError::bad_credentials());
        }
        let introspect = this.table.introspect_token;
        this.claims(&this.call_with_text("introspection", introspect, token.expose()).await?)
    }

    async fn refresh(&self, subject: &str) -> Result<Claims> {
        let this = &*self.instance;
        this.require(AuthFacets::REFRESH, "refreshing claims")?;
        check_subject(subject)?;
        this.claims(&this.call_with_text("refresh", this.table.refresh, subject).await?)
    }

    async fn logout(&self, subject: &str) -> Result<Option<String>> {
        let this = &*self.instance;
        this.require(AuthFacets::LOGOUT, "signing out")?;
        check_subject(subject)?;
        let reply = this.call_with_text("sign-out", this.table.logout, subject).await?;
        let url = reply.into_text()?;
        Ok((!url.is_empty()).then_some(url))
    }

    async fn groups(&self, subject: &str) -> Result<Vec<String>> {
        let this = &*self.instance;
        this.require(AuthFacets::GROUPS, "looking up groups")?;
        check_subject(subject)?;
        this.json(&this.call_with_text("groups", this.table.groups, subject).await?)
    }
}
