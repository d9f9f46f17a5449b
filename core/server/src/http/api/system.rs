//! Health, version, metrics.

use boxvault_types::{
    error::ErrorCode,
    views::{
        Envelope, Nothing,
        system::{JobView, ReadyView, SettingView, VersionInfoView},
    },
};
use salvo::{
    Response, Writer as _, handler,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
};
use tracing::warn;

use crate::{
    error::{AppError, Result},
    http::{boxed, call::Call, reply::Reply},
};

/// Answers as long as the process does.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "System",
    responses(
        (status = 200, description = "It does.", body = Envelope<Nothing>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_liveness() -> Reply<Nothing> {
    Reply::ok("alive", Nothing)
}

/// Tells whether the server can work, part by part.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "System",
    responses(
        (status = 200, description = "It can.", body = Envelope<ReadyView>),
        (status = 503, description = "A part cannot.", body = Envelope<ReadyView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_readiness(call: Call) -> Reply<ReadyView> {
    let view = call.app.readiness().await;
    if view.ready {
        Reply::ok("ready", view)
    } else {
        Reply::ok("not ready", view).with_status(StatusCode::SERVICE_UNAVAILABLE)
    }
}

/// Tells what is running, and whether it is still to be set up.
#[utoipa::path(
    get,
    path = "/api/version",
    tag = "System",
    responses(
        (status = 200, description = "What is running.", body = Envelope<VersionInfoView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_version_info(call: Call) -> Result<Reply<VersionInfoView>> {
    let view = VersionInfoView {
        name: "BoxVault".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        needs_setup: call.app.needs_setup().await?,
    };
    Ok(Reply::ok(format!("BoxVault {}", view.version), view))
}

/// Lists what this server does in the background, and how it went since it was started.
#[utoipa::path(
    get,
    path = "/api/jobs",
    tag = "System",
    responses(
        (status = 200, description = "The jobs.", body = Envelope<Vec<JobView>>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_jobs(call: Call) -> Result<Reply<Vec<JobView>>> {
    let views = call.app.list_jobs().await?;
    Ok(Reply::ok(format!("{} jobs", views.len()), views))
}

/// Shows the configuration in force, each key with where its value came from. Secrets are hidden; it is changed where it
/// came from, and read when the server starts.
#[utoipa::path(
    get,
    path = "/api/configuration",
    tag = "System",
    responses(
        (status = 200, description = "Every key.", body = Envelope<Vec<SettingView>>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_configuration(call: Call) -> Result<Reply<Vec<SettingView>>> {
    let settings = call.app.settings.clone();
    Ok(Reply::ok(format!("{} keys", settings.len()), settings))
}

/// The numbers of this server, in the text form of Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "System",
    responses(
        (status = 200, description = "The numbers.", body = String, content_type = "text/plain; version=0.0.4; charset=utf-8"),
    ),
    extensions(("x-error-codes" = json!(["PATH_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_metrics(call: Call, res: &mut Response) -> Result<()> {
    if !call.app.config.metrics.enabled {
        return Err(AppError::new(ErrorCode::PathNotFound, "metrics are off (metrics.enabled)"));
    }
    // without the database the number of before stands: the rest is what is needed then
    if let Err(error) = call.app.count_damaged_files().await {
        warn!(cause = error.causes(), "could not count damaged files for the metrics");
    }
    call.app.metrics.set_plugins(&call.app.plugins.counted());
    let text = call.app.metrics.encode().map_err(AppError::internal)?;
    res.headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    res.body(text);
    Ok(())
}
