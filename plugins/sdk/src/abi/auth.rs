//! The table of an auth provider.

use std::ffi::c_void;

use super::{Completion, Host, Str, Zeroable};

/// `authenticate_password` works.
pub const FACET_PASSWORD: u64 = 1;
/// `start_redirect` and `finish_redirect` work.
pub const FACET_REDIRECT: u64 = 2;
/// `introspect_token` works.
pub const FACET_INTROSPECT: u64 = 4;
/// `refresh` works.
pub const FACET_REFRESH: u64 = 8;
/// `logout` works.
pub const FACET_LOGOUT: u64 = 16;
/// `groups` works.
pub const FACET_GROUPS: u64 = 32;
/// `read_logout_notice` works. Since 1.2.
pub const FACET_LOGOUT_NOTICE: u64 = 64;

/// Somebody who knows who people are.
///
/// All functions of 1.0 are required; one whose facet is not declared answers `ERROR_UNSUPPORTED`.
/// Where the comment says *claims*, `data` is a JSON object:
/// `{"issuer": "…", "subject": "…", "username": "…", "email": null or "…", "email_verified": false,
/// "display_name": null or "…", "groups": ["…"], "attributes": {"key": ["…"]}, "expires": null or
/// seconds since 1970, "session": null or "…"}`. The first three are required and not empty; `issuer`
/// and `subject` together name the account for ever; `session` names the session at the provider. A wrong name and a wrong password are the same error,
/// `ERROR_BAD_CREDENTIALS`, after the same work.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct AuthTable {
    /// `sizeof` of this struct, as the plugin knows it.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Checks a configuration (JSON) without side effects.
    pub validate: Option<unsafe extern "C" fn(host: *const Host, config: Str, done: Completion)>,
    /// Makes an instance from a configuration (JSON): `handle`. `host` stays valid for ever.
    pub create: Option<unsafe extern "C" fn(host: *const Host, config: Str, done: Completion)>,
    /// The `FACET_…` of an instance. Constant; answers at once.
    pub facets: Option<unsafe extern "C" fn(instance: *mut c_void) -> u64>,
    /// Asks the outside world whether it answers.
    pub health: Option<unsafe extern "C" fn(instance: *mut c_void, done: Completion)>,
    /// Signs in by name and password: claims. Neither is empty or holds a NUL; the name is at most
    /// 1 KiB, the password at most 16 KiB.
    pub authenticate_password: Option<
        unsafe extern "C" fn(instance: *mut c_void, username: Str, password: Str, done: Completion),
    >,
    /// Says where to send the browser. `request` is `{"callback_url", "state", "nonce",
    /// "code_challenge"}` (S256); `data` is `{"url": "…"}`.
    pub start_redirect:
        Option<unsafe extern "C" fn(instance: *mut c_void, request: Str, done: Completion)>,
    /// Takes what the browser brought back: claims. `callback` is `{"callback_url",
    /// "parameters": {…}, "nonce", "code_verifier"}`; the host has compared the state.
    pub finish_redirect:
        Option<unsafe extern "C" fn(instance: *mut c_void, callback: Str, done: Completion)>,
    /// Checks a token that the provider issued: claims.
    pub introspect_token:
        Option<unsafe extern "C" fn(instance: *mut c_void, token: Str, done: Completion)>,
    /// Asks again about somebody who signed in before: claims.
    pub refresh:
        Option<unsafe extern "C" fn(instance: *mut c_void, subject: Str, done: Completion)>,
    /// Ends the session at the provider: `data` = an address to send the browser to, or nothing.
    pub logout: Option<unsafe extern "C" fn(instance: *mut c_void, subject: Str, done: Completion)>,
    /// The groups of somebody: `data` = a JSON array of text.
    pub groups: Option<unsafe extern "C" fn(instance: *mut c_void, subject: Str, done: Completion)>,
    /// Reads what the provider itself sends when a session ended there (the logout token of OpenID
    /// Connect): `data` is `{"subject": null or "…", "session": null or "…", "issued": seconds since
    /// 1970}`, with a subject or a session. Anybody may have sent it. Since 1.2; may be NULL.
    pub read_logout_notice:
        Option<unsafe extern "C" fn(instance: *mut c_void, notice: Str, done: Completion)>,
}

#[expect(unsafe_code, reason = "integers and optional functions only")]
// SAFETY: every field is an integer or an optional function pointer.
unsafe impl Zeroable for AuthTable {}
