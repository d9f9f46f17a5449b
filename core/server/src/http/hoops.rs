//! What happens around every handler (salvo's word for middleware is hoop).
//!
//! Order, outermost first: [`observe`] (request id, address, log line, metrics, panics, empty failures), [`record`]
//! (refusals, into the audit log),
//! [`authenticate`] (who is it), [`rate_limit`], and per route [`time_limit`], [`authorize`] (may they) and, where it
//! changes something, [`complete`] (to its end), [`idempotency`], [`record`] (the change) and [`hold`] (`If-Match`).

pub(crate) mod authenticate;
pub(crate) mod authorize;
pub(crate) mod complete;
pub(crate) mod hold;
pub(crate) mod idempotency;
pub(crate) mod observe;
pub(crate) mod rate_limit;
pub(crate) mod record;
pub(crate) mod time_limit;
