//! From credentials to an [`Identity`]: the one place that reads them, whatever their kind.
//!
//! A presented credential that is not good is 401, also on a public thing; it never silently counts as none. Only
//! the dialect of stock clients is different: they send stale tokens to public boxes, and must not be locked out.

use std::sync::Arc;

use boxvault_types::identity::Identity;
use data_encoding::BASE64;
use salvo::{
    Depot, FlowCtrl, Handler, Request, Response, async_trait, http::header::AUTHORIZATION,
};

use crate::{
    app::{App, download_links::LinkGrant, upload_tickets::TicketGrant},
    error::{AppError, Result},
    http::{call::RequestFacts, credentials::Way, error::Dialect},
    language::Language,
};

/// How many tokens of one request are tried: Vagrant sends two, and each may cost a look-up.
const TOKENS_MAX: usize = 4;

/// Bad credentials: what to answer, once the request was counted.
pub(crate) struct Refusal(pub(crate) AppError);

/// What is granted beside what the caller may.
enum Grant {
    Link(LinkGrant),
    Ticket(TicketGrant),
}

/// See the module.
pub(crate) struct Authenticate(pub(crate) Arc<App>);

#[async_trait]
impl Handler for Authenticate {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        _: &mut Response,
        _: &mut FlowCtrl,
    ) {
        let facts = RequestFacts::of(depot);
        match self.identify(req, &facts).await {
            Ok((identity, grant)) => {
                let chosen = identity.caller().and_then(|caller| caller.language.as_deref());
                if let (Some(language), Dialect::Api) =
                    (chosen.and_then(Language::of_tag), facts.dialect)
                {
                    depot.insert_typed(RequestFacts { language, ..facts });
                }
                depot.insert_typed(identity);
                match grant {
                    Some(Grant::Link(grant)) => drop(depot.insert_typed(grant)),
                    Some(Grant::Ticket(grant)) => drop(depot.insert_typed(grant)),
                    None => {}
                }
            }
            Err(error) => {
                depot.insert_typed(Refusal(error));
            }
        }
    }
}

impl Authenticate {
    async fn identify(
        &self,
        req: &Request,
        facts: &RequestFacts,
    ) -> Result<(Identity, Option<Grant>)> {
        let in_query = |way: Way, name: &str| {
            way.is_taken_at(req.method(), &facts.path).then(|| req.queries().get(name)).flatten()
        };
        // whoever was given one may send a token of another kind beside it, which is not what it is about
        if let Some(ticket) = in_query(Way::Ticket, "ticket") {
            let (who, grant) = self.0.identify_ticket(ticket).await?;
            return Ok((who, Some(Grant::Ticket(grant))));
        }
        let presented = presented(req, &facts.path);
        let link = in_query(Way::Link, "link");
        if presented.is_empty() && link.is_none() {
            return Ok((Identity::Anonymous, None));
        }
        let mut refusal = None;
        for text in presented.iter().take(TOKENS_MAX) {
            match self.0.identify(text).await {
                Ok(caller) => return Ok((Identity::User(caller), None)),
                Err(error) => refusal = Some(error),
            }
        }
        if let Some(link) = link {
            let (who, grant) = self.0.identify_link(link).await?;
            return Ok((who, Some(Grant::Link(grant))));
        }
        match refusal {
            Some(error)
                if facts.dialect != Dialect::Vagrant
                    || error.kind() != boxvault_types::error::ErrorKind::Unauthenticated =>
            {
                Err(error)
            }
            _ => Ok((Identity::Anonymous, None)),
        }
    }
}

/// Every token that the request presents, in the order in which they are tried.
///
/// They are in the headers of [`Way`]; `A;B` is two, as Vagrant sends them, and of a Basic pair the password counts.
pub(crate) fn presented(req: &Request, path: &str) -> Vec<String> {
    let header = |name: &str| req.headers().get(name).and_then(|value| value.to_str().ok());
    let mut all = Vec::new();
    let mut push = |text: &str| {
        for token in text.split(';').map(str::trim).filter(|token| !token.is_empty()) {
            all.push(token.to_owned());
        }
    };
    if let Some(token) = header("x-access-token") {
        push(token);
    }
    if let Some(value) = header(AUTHORIZATION.as_str()) {
        match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => push(token),
            Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") => {
                let decoded = BASE64.decode(pair.trim().as_bytes()).ok();
                let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
                // what is no pair is still a credential, and a bad one
                push(
                    text.as_deref()
                        .and_then(|text| text.split_once(':'))
                        .map_or("-", |(_, password)| password),
                );
            }
            _ => push("-"),
        }
    }
    if let Some(token) = header("x-atlas-token") {
        push(token);
    }
    if Way::Query.is_taken_at(req.method(), path)
        && let Some(token) = req.queries().get("access_token")
    {
        push(token);
    }
    all
}
