//! The audit log, of everything and of one organization: to look at, and to take along.

use boxvault_types::{
    params::{
        ListQuery,
        audit::{AuditQuery, ExportFormat, ExportQuery},
    },
    views::{ListEnvelope, audit::AuditEntryView},
};
use chrono::{DateTime, Utc};
use salvo::{
    Request, Response, Writer as _, handler,
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
    },
};

use crate::{
    error::{AppError, Result},
    http::{
        boxed,
        call::{Call, Query},
        reply::PageReply,
    },
};

/// Lists what was done and what was refused, newest first.
#[utoipa::path(
    get,
    path = "/api/audit",
    tag = "Audit",
    params(ListQuery, AuditQuery),
    responses(
        (status = 200, description = "The rows.", body = ListEnvelope<AuditEntryView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_audit(
    req: &mut Request,
    call: Call,
    query: Query,
) -> Result<PageReply<AuditEntryView>> {
    let (items, page) = call.app.list_audit(None, wanted(req)?, query.0).await?;
    Ok(PageReply::new(format!("{} rows", page.total), items, page))
}

/// Gives the whole audit log as text, oldest first.
#[utoipa::path(
    get,
    path = "/api/audit/export",
    tag = "Audit",
    params(AuditQuery, ExportQuery),
    responses(
        (status = 200, description = "The rows.", content(
            (String = "application/x-ndjson"),
            (String = "text/csv"),
        )),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn export_audit(req: &mut Request, res: &mut Response, call: Call) -> Result<()> {
    let format = format(req)?;
    let rows = call.app.export_audit(None, wanted(req)?, format).await?;
    head(res, format, "audit");
    res.stream(rows);
    Ok(())
}

/// Lists what was done and what was refused in an organization, newest first.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/audit",
    tag = "Audit",
    params(ListQuery, AuditQuery),
    responses(
        (status = 200, description = "The rows.", body = ListEnvelope<AuditEntryView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_organization_audit(
    req: &mut Request,
    call: Call,
    query: Query,
) -> Result<PageReply<AuditEntryView>> {
    let organization = Some(call.target.organization()?);
    let (items, page) = call.app.list_audit(organization, wanted(req)?, query.0).await?;
    Ok(PageReply::new(format!("{} rows", page.total), items, page))
}

/// Gives an organization's whole audit log as text, oldest first.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/audit/export",
    tag = "Audit",
    params(AuditQuery, ExportQuery),
    responses(
        (status = 200, description = "The rows.", content(
            (String = "application/x-ndjson"),
            (String = "text/csv"),
        )),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn export_organization_audit(
    req: &mut Request,
    res: &mut Response,
    call: Call,
) -> Result<()> {
    let organization = call.target.organization()?;
    let format = format(req)?;
    let rows = call.app.export_audit(Some(organization), wanted(req)?, format).await?;
    head(res, format, &format!("audit-{}", organization.name));
    res.stream(rows);
    Ok(())
}

fn head(res: &mut Response, format: ExportFormat, name: &str) {
    let (kind, ending) = match format {
        ExportFormat::Ndjson => ("application/x-ndjson", "ndjson"),
        ExportFormat::Csv => ("text/csv", "csv"),
    };
    let headers = res.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    let disposition = format!("attachment; filename=\"{name}.{ending}\"");
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
}

fn format(req: &Request) -> Result<ExportFormat> {
    match req.queries().get("format").map(String::as_str) {
        None | Some("ndjson") => Ok(ExportFormat::Ndjson),
        Some("csv") => Ok(ExportFormat::Csv),
        Some(other) => {
            Err(AppError::invalid("format", format!("must be ndjson or csv, not {other:?}")))
        }
    }
}

fn wanted(req: &Request) -> Result<AuditQuery> {
    let allowed = match req.queries().get("allowed").map(String::as_str) {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(other) => {
            return Err(AppError::invalid(
                "allowed",
                format!("must be true or false, not {other:?}"),
            ));
        }
    };
    Ok(AuditQuery {
        actor: text(req, "actor", 128)?,
        action: text(req, "action", 64)?,
        object: text(req, "object", 1024)?,
        allowed,
        since: time(req, "since")?,
        until: time(req, "until")?,
    })
}

fn text(req: &Request, key: &str, chars_max: usize) -> Result<Option<String>> {
    let text = req.queries().get(key).filter(|text| !text.is_empty());
    if text.is_some_and(|text| text.chars().count() > chars_max) {
        let why = format!("must have at most {chars_max} characters");
        return Err(AppError::invalid(key, why));
    }
    Ok(text.cloned())
}

fn time(req: &Request, key: &str) -> Result<Option<DateTime<Utc>>> {
    let Some(text) = req.queries().get(key) else { return Ok(None) };
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| {
        AppError::invalid(key, "must be a time such as 2026-01-31T12:00:00Z (RFC 3339)")
    })?;
    Ok(Some(time.to_utc()))
}
