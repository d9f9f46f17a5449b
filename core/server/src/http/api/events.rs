//! What happens, as it happens: a stream of server-sent events, or an answer to who asks from time to time.

use std::{convert::Infallible, sync::Arc};

use boxvault_types::{
    identity::Identity,
    views::{Envelope, ErrorEnvelope, events::EventsView},
};
use bytes::Bytes;
use futures_util::stream;
use salvo::{
    Depot, Request, Response, Writer as _, handler,
    http::{
        HeaderValue,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE},
    },
};

use crate::{
    app::events::{Listening, Said},
    error::{AppError, Result},
    http::{
        boxed,
        call::{Call, credentials_missing},
        hoops::authenticate,
        reply::Reply,
    },
};

const EVENT_STREAM: &str = "text/event-stream";
/// The longest id that is looked at; ours are half as long.
const ID_CHARS_MAX: usize = 128;

/// Tells what happens that concerns the caller: changes of what they can read, of what they may do, and the end of their
/// session.
///
/// To `Accept: text/event-stream` it is a stream (server-sent events), alive by a comment each 15 s; after a break,
/// `Last-Event-ID` goes on where it ended. To anybody else it is what happened since `Last-Event-ID`: ask at least once a
/// minute. `reset` says that something may have been missed.
#[utoipa::path(
    get,
    path = "/api/events",
    tag = "System",
    params(
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that the caller has heard of."),
    ),
    responses(
        (status = 200, description = "What happened, or a stream of what happens.", content(
            (Envelope<EventsView> = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = 400, description = "`Last-Event-ID` is longer than any is.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["INVALID_INPUT"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_events(
    req: &mut Request,
    depot: &mut Depot,
    res: &mut Response,
    call: Call,
) -> Result<()> {
    let Identity::User(caller) = &call.identity else { return Err(credentials_missing()) };
    let caller = Arc::clone(caller);
    let tokens = authenticate::presented(req, &call.facts.path);
    let after = req.header::<String>("last-event-id").filter(|id| !id.is_empty());
    if after.as_ref().is_some_and(|id| id.chars().count() > ID_CHARS_MAX) {
        let why = format!("must have at most {ID_CHARS_MAX} characters");
        return Err(AppError::invalid("Last-Event-ID", why));
    }
    let accepts = req.header::<String>(ACCEPT.as_str()).unwrap_or_default();
    if !accepts.contains(EVENT_STREAM) {
        let view = call.app.list_events(caller, tokens, after.as_deref()).await?;
        Reply::ok(format!("{} events", view.events.len()), view).write(req, depot, res).await;
        return Ok(());
    }
    let listening = call.app.listen(caller, tokens, after.as_deref())?;
    let headers = res.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    // nginx would keep a stream back until its buffer is full
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    let hello = listening.hello();
    res.stream(stream::unfold((listening, Some(hello)), piece));
    Ok(())
}

type State = (Listening, Option<Said>);

async fn piece(
    (mut listening, first): State,
) -> Option<(std::result::Result<Bytes, Infallible>, State)> {
    let said = match first {
        Some(said) => said,
        None => listening.next().await?,
    };
    Some((Ok(text(&said)), (listening, None)))
}

/// What is said, as lines of a stream.
fn text(said: &Said) -> Bytes {
    Bytes::from(match said {
        // whoever comes back after this goes on from here
        Said::Hello(id) => format!("retry: 2000\nid: {id}\n: hello\n\n"),
        Said::Beat => ": alive\n\n".to_owned(),
        Said::Event(view) => {
            let data = serde_json::to_string(view).unwrap_or_default();
            format!("id: {}\nevent: {}\ndata: {data}\n\n", view.id, view.kind.as_str())
        }
    })
}

#[cfg(test)]
mod tests {
    use boxvault_types::views::events::{EventKind, EventView};

    use super::*;

    #[test]
    fn an_event_is_lines_that_a_browser_reads() {
        let view = EventView {
            id: "1".to_owned(),
            kind: EventKind::Box,
            action: Some("release".to_owned()),
            organization: Some("acme".to_owned()),
            // what a name cannot have, and would break a line
            object: Some("box/a\nb".to_owned()),
        };
        let text = text(&Said::Event(view));
        let text = std::str::from_utf8(&text).unwrap();
        assert_eq!(
            text,
            "id: 1\nevent: box\ndata: {\"id\":\"1\",\"kind\":\"box\",\"action\":\"release\",\
             \"organization\":\"acme\",\"object\":\"box/a\\nb\"}\n\n"
        );
    }
}
