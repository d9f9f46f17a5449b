//! Messages to users: what they say ([`letter`]) and the way out ([`transport`]). The only place that knows SMTP.
//!
//! Nothing here knows accounts or the outbox; `app/outbox.rs` puts the two together.

pub(crate) mod letter;
pub(crate) mod transport;
