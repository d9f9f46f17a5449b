//! What happens around every handler (salvo's word for middleware is hoop).
//!
//! Order, outermost first: [`observe`] (request id, address, log line, metrics, panics, empty failures),
//! [`authenticate`] (who is it), [`rate_limit`], and per route [`time_limit`] and [`authorize`] (may they).

pub(crate) mod authenticate;
pub(crate) mod authorize;
pub(crate) mod observe;
pub(crate) mod rate_limit;
pub(crate) mod time_limit;
