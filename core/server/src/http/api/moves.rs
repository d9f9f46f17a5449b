//! Which store takes an organization's new files, and moves of files from store to store.

use boxvault_types::{
    byte_count::ByteCount,
    ids::StoreMoveId,
    params::{
        ListQuery,
        storage::{SetPlacementParams, StartMoveParams},
    },
    views::{
        Envelope, ErrorEnvelope, ListEnvelope,
        storage::{AmountView, PlacementView, StoreMoveView},
    },
};
use salvo::{Request, Writer as _, handler};

use crate::{
    app::moves::{CONCURRENCY, MoveRequest},
    error::Result,
    http::{
        boxed,
        call::{Body, Call, Query},
        extract::required,
        reply::{PageReply, Reply},
    },
};

/// Tells which store takes the new files of an organization.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/placement",
    tag = "Organization Management",
    responses(
        (status = 200, description = "The stores, by the size of files.", body = Envelope<PlacementView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_placement(call: Call) -> Result<Reply<PlacementView>> {
    let view = call.app.placement(call.target.organization()?).await?;
    Ok(Reply::ok("placement found", view).tagged())
}

/// Chooses the store for the new files of an organization, whatever the rules of the configuration say. Files that are
/// there stay where they are until they are moved.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/placement",
    tag = "Organization Management",
    request_body = SetPlacementParams,
    responses(
        (status = 200, description = "What holds now.", body = Envelope<PlacementView>),
        (status = 412, description = "It was changed since `If-Match`.", body = ErrorEnvelope),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn set_placement(
    call: Call,
    body: Body<SetPlacementParams>,
) -> Result<Reply<PlacementView>> {
    let organization = call.target.organization()?;
    let detail = serde_json::to_value(&body.0).ok();
    let view = call.app.set_placement(organization, body.0, call.audit(detail)).await?;
    Ok(Reply::ok("placement set", view).tagged())
}

/// Begins a move of files from one store to another. Clients go on downloading; the old copies go with a later sweep.
#[utoipa::path(
    post,
    path = "/api/storage/moves",
    tag = "System",
    request_body = StartMoveParams,
    responses(
        (status = 201, description = "A server begins it within seconds.", body = Envelope<StoreMoveView>),
        (status = 404, description = "There is no such organization or box.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["ORGANIZATION_NOT_FOUND", "BOX_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn start_move(
    call: Call,
    body: Body<StartMoveParams>,
) -> Result<Reply<StoreMoveView>> {
    let detail = serde_json::to_value(&body.0).ok();
    let view = call.app.start_move(&request(body.0), call.audit(detail)).await?;
    Ok(Reply::created("the move begins", view))
}

/// Tells what a move would move now. Changes nothing.
#[utoipa::path(
    post,
    path = "/api/storage/plan",
    tag = "System",
    request_body = StartMoveParams,
    responses(
        (status = 200, description = "How much it is.", body = Envelope<AmountView>),
        (status = 404, description = "There is no such organization or box.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["ORGANIZATION_NOT_FOUND", "BOX_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn plan_move(
    call: Call,
    body: Body<StartMoveParams>,
) -> Result<Reply<AmountView>> {
    let view = call.app.plan_move(&request(body.0)).await?;
    Ok(Reply::ok(format!("{} files", view.files), view))
}

/// Lists the moves of files from store to store, newest first.
#[utoipa::path(
    get,
    path = "/api/storage/moves",
    tag = "System",
    params(ListQuery),
    responses(
        (status = 200, description = "The moves.", body = ListEnvelope<StoreMoveView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_moves(call: Call, query: Query) -> Result<PageReply<StoreMoveView>> {
    let (items, page) = call.app.list_moves(query.0).await?;
    Ok(PageReply::new(format!("{} moves", page.total), items, page))
}

/// Tells how far a move is.
#[utoipa::path(
    get,
    path = "/api/storage/moves/{id}",
    tag = "System",
    responses(
        (status = 200, description = "The move.", body = Envelope<StoreMoveView>),
        (status = 404, description = "There is none.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["MOVE_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_move(req: &mut Request, call: Call) -> Result<Reply<StoreMoveView>> {
    let view = call.app.read_move(required::<StoreMoveId>(req, "id")?).await?;
    Ok(Reply::ok("move found", view))
}

/// Ends a move. What is moved stays where it is; the same move can be begun again.
#[utoipa::path(
    delete,
    path = "/api/storage/moves/{id}",
    tag = "System",
    responses(
        (status = 200, description = "It is over.", body = Envelope<StoreMoveView>),
        (status = 404, description = "There is none.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["MOVE_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn end_move(req: &mut Request, call: Call) -> Result<Reply<StoreMoveView>> {
    let id = required::<StoreMoveId>(req, "id")?;
    let view = call.app.end_move(id, call.audit(None)).await?;
    Ok(Reply::ok("move ended", view))
}

fn request(params: StartMoveParams) -> MoveRequest {
    MoveRequest {
        from: params.from,
        to: params.to,
        organization: params.organization,
        box_name: params.box_name,
        larger_than: params.larger_than.map(ByteCount),
        bytes_per_second: params.bytes_per_second.map(ByteCount),
        concurrency: params.concurrency.unwrap_or(CONCURRENCY),
    }
}
