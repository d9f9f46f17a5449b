//! The auth table of an [`AuthPlugin`].
//!
//! Everything runs on the plugin's threads from the start: checking a password computes, and the
//! caller's thread serves other people.

use std::{
    ffi::c_void,
    future::Future,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::Arc,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{Done, Identity, Start, handshake, peek, run};
use crate::{
    abi,
    auth::{AuthPlugin, AuthProvider, Credentials},
    config,
    crossing::{self, size_of_table},
    error::{PluginError, Result},
    log,
    secret::Secret,
};

/// The handshake of an auth plugin.
pub fn auth_handshake<P: AuthPlugin>(identity: Identity) -> abi::Handshake {
    let table = ptr::from_ref(&Exports::<P>::TABLE).cast::<c_void>();
    handshake(abi::KIND_AUTH, identity, config::schema::<P::Config>(), table)
}

/// What an instance handle points to.
type Instance = Arc<dyn AuthProvider>;

/// The functions that depend on the author's type.
struct Exports<P>(PhantomData<P>);

impl<P: AuthPlugin> Exports<P> {
    const TABLE: abi::AuthTable = abi::AuthTable {
        size: size_of_table::<abi::AuthTable>(),
        reserved: 0,
        validate: Some(Self::validate),
        create: Some(Self::create),
        facets: Some(facets),
        health: Some(health),
        authenticate_password: Some(authenticate_password),
        start_redirect: Some(start_redirect),
        finish_redirect: Some(finish_redirect),
        introspect_token: Some(introspect_token),
        refresh: Some(refresh),
        logout: Some(logout),
        groups: Some(groups),
        read_logout_notice: Some(read_logout_notice),
    };

    unsafe extern "C" fn validate(
        host: *const abi::Host,
        config: abi::Str,
        completion: abi::Completion,
    ) {
        // SAFETY: the host table is valid for ever.
        unsafe { log::connect(host) };
        // SAFETY: the text is lent for this call.
        let config = unsafe { crossing::borrow(config) }.and_then(config::parse::<P::Config>);
        let future = config.map(|config| async move { P::validate(&config) });
        run(Start::OnThePluginsThreads, completion, future, |done, ()| done.ok());
    }

    unsafe extern "C" fn create(
        host: *const abi::Host,
        config: abi::Str,
        completion: abi::Completion,
    ) {
        // SAFETY: the host table is valid for ever.
        unsafe { log::connect(host) };
        // SAFETY: the text is lent for this call.
        let config = unsafe { crossing::borrow(config) }.and_then(config::parse::<P::Config>);
        let future = config.map(P::create);
        run(Start::OnThePluginsThreads, completion, future, |done, provider| {
            done.handle::<Instance>(Arc::from(provider));
        });
    }
}

/// The instance behind a handle.
///
/// # Safety
/// As in [`peek`].
unsafe fn instance(handle: *mut c_void) -> Result<Instance> {
    // SAFETY: instance handles are made from an `Instance`; the host keeps it during the call.
    unsafe { peek::<Instance>(handle) }.map(Arc::clone)
}

/// Runs a question with one text in it; the answer goes back as JSON.
///
/// # Safety
/// As in [`peek`] and [`crossing::borrow`].
unsafe fn ask<T: Serialize + Send + 'static, F: Future<Output = Result<T>> + Send + 'static>(
    handle: *mut c_void,
    text: abi::Str,
    completion: abi::Completion,
    question: impl FnOnce(Instance, String) -> F,
) {
    // SAFETY: the caller keeps the promise.
    let instance = unsafe { instance(handle) };
    // SAFETY: the caller keeps the promise.
    let text = unsafe { crossing::borrow_text(text) }.map(ToOwned::to_owned);
    let future = instance.and_then(|instance| Ok(question(instance, text?)));
    run(Start::OnThePluginsThreads, completion, future, answer_json);
}

fn answer_json<T: Serialize>(done: Done, value: T) {
    match serde_json::to_vec(&value) {
        Ok(text) => done.data(text.into()),
        Err(error) => done.error(PluginError::unexpected(error.to_string())),
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|_| crossing::violation("the host passed JSON of another shape"))
}

unsafe extern "C" fn facets(handle: *mut c_void) -> u64 {
    // SAFETY: the host passes an instance handle, and keeps it during the call.
    let Ok(instance) = (unsafe { instance(handle) }) else { return 0 };
    catch_unwind(AssertUnwindSafe(|| instance.facets().bits())).unwrap_or(0)
}

unsafe extern "C" fn health(handle: *mut c_void, completion: abi::Completion) {
    // SAFETY: the host passes an instance handle, and keeps it during the call.
    let instance = unsafe { instance(handle) };
    let future = instance.map(|instance| async move { instance.health().await });
    run(Start::OnThePluginsThreads, completion, future, |done, ()| done.ok());
}

unsafe extern "C" fn authenticate_password(
    handle: *mut c_void,
    username: abi::Str,
    password: abi::Str,
    completion: abi::Completion,
) {
    // SAFETY: lent for the call.
    let password = unsafe { crossing::borrow_text(password) }.map(Secret::from);
    let question = |instance: Instance, username: String| async move {
        let credentials = Credentials { username, password: password? };
        credentials.check()?;
        instance.authenticate_password(credentials).await
    };
    // SAFETY: the host passes an instance handle, and lends the name for the call.
    unsafe { ask(handle, username, completion, question) };
}

unsafe extern "C" fn start_redirect(
    handle: *mut c_void,
    request: abi::Str,
    completion: abi::Completion,
) {
    let question = |instance: Instance, request: String| async move {
        instance.start_redirect(parse(&request)?).await
    };
    // SAFETY: the host passes an instance handle, and lends the text for the call.
    unsafe { ask(handle, request, completion, question) };
}

unsafe extern "C" fn finish_redirect(
    handle: *mut c_void,
    callback: abi::Str,
    completion: abi::Completion,
) {
    let question = |instance: Instance, callback: String| async move {
        instance.finish_redirect(parse(&callback)?).await
    };
    // SAFETY: the host passes an instance handle, and lends the text for the call.
    unsafe { ask(handle, callback, completion, question) };
}

unsafe extern "C" fn introspect_token(
    handle: *mut c_void,
    token: abi::Str,
    completion: abi::Completion,
) {
    let question = |instance: Instance, token: String| async move {
        instance.introspect_token(Secret::from(token)).await
    };
    // SAFETY: the host passes an instance handle, and lends the text for the call.
    unsafe { ask(handle, token, completion, question) };
}

unsafe extern "C" fn read_logout_notice(
    handle: *mut c_void,
    notice: abi::Str,
    completion: abi::Completion,
) {
    let question = |instance: Instance, notice: String| async move {
        instance.read_logout_notice(Secret::from(notice)).await
    };
    // SAFETY: the host passes an instance handle, and lends the text for the call.
    unsafe { ask(handle, notice, completion, question) };
}

unsafe extern "C" fn refresh(handle: *mut c_void, subject: abi::Str, completion: abi::Completion) {
    let question =
        |instance: Instance, subject: String| async move { instance.refresh(&subject).await };
    // SAFETY: the host passes an instance handle, and lends the text for the call.
    unsafe { ask(handle, subject, completion, question) };
}

unsafe extern "C" fn logout(handle: *mut c_void, subject: abi::Str, completion: abi::Completion) {
    // SAFETY: the host passes an instance handle, and keeps it during the call.
    let instance = unsafe { instance(handle) };
    // SAFETY: lent for the call.
    let subject = unsafe { crossing::borrow_text(subject) }.map(ToOwned::to_owned);
    let future = instance.map(|instance| async move { instance.logout(&subject?).await });
    run(Start::OnThePluginsThreads, completion, future, |done, url: Option<String>| {
        done.data(url.unwrap_or_default().into());
    });
}

unsafe extern "C" fn groups(handle: *mut c_void, subject: abi::Str, completion: abi::Completion) {
    let question =
        |instance: Instance, subject: String| async move { instance.groups(&subject).await };
    // SAFETY: the host passes an instance handle, and lends the text for the call.
    unsafe { ask(handle, subject, completion, question) };
}
