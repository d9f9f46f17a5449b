//! Moves that somebody asked a running server for: written down, taken by one server, gone on with after a restart.

use std::{pin::pin, sync::Arc, time::Duration};

use boxvault_catalog::{
    audit::NewEntry,
    moves::Mover,
    store_moves::{self, Progress, State, StoreMove},
};
use boxvault_types::{
    error::ErrorCode,
    ids::StoreMoveId,
    params::ListQuery,
    views::{
        PageView,
        storage::{AmountView, StoreMoveState, StoreMoveView},
    },
};
use tokio::time::sleep;
use tracing::{info, warn};

use super::{LEASE, MoveRequest, Moving};
use crate::{
    app::{App, jobs::Job, lists},
    error::{AppError, Result},
};

/// How often a server says how far it is, and looks whether somebody ended the move.
const TELL_INTERVAL: Duration = Duration::from_secs(2);
/// How often a server looks for moves that wait, or that another one left.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

impl App {
    /// Writes a move down, for any server to begin it.
    ///
    /// # Errors
    /// As [`App::wish_to_move`].
    pub(crate) async fn start_move(
        &self,
        request: &MoveRequest,
        audit: NewEntry,
    ) -> Result<StoreMoveView> {
        let wish = self.wish_to_move(request).await?;
        let audit = NewEntry { status: Some(201), ..audit };
        let made = store_moves::create(&self.catalog, wish, audit).await?;
        Ok(self.move_view(made))
    }

    /// What a move would move now.
    ///
    /// # Errors
    /// As [`App::wish_to_move`].
    pub(crate) async fn plan_move(&self, request: &MoveRequest) -> Result<AmountView> {
        let wish = self.wish_to_move(request).await?;
        let amount = self.amount_to_move(&wish).await?;
        Ok(amount_view(amount.files, amount.bytes))
    }

    /// A move.
    ///
    /// # Errors
    /// `MOVE_NOT_FOUND`.
    pub(crate) async fn read_move(&self, id: StoreMoveId) -> Result<StoreMoveView> {
        let found = store_moves::find(&self.catalog, id).await?.ok_or_else(no_move)?;
        Ok(self.move_view(found))
    }

    /// Moves, newest first.
    pub(crate) async fn list_moves(
        &self,
        query: ListQuery,
    ) -> Result<(Vec<StoreMoveView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let found = store_moves::list(&self.catalog, page).await?;
        let views = found.items.into_iter().map(|item| self.move_view(item)).collect();
        Ok((views, lists::view(page, found.total)))
    }

    /// Ends a move. What is moved stays where it is.
    ///
    /// # Errors
    /// `MOVE_NOT_FOUND`.
    pub(crate) async fn end_move(&self, id: StoreMoveId, audit: NewEntry) -> Result<StoreMoveView> {
        let ended = store_moves::cancel(&self.catalog, id, audit).await?;
        Ok(self.move_view(ended))
    }

    /// Does what was asked for, one move after the other, for ever.
    pub(crate) async fn move_forever(self: Arc<Self>) {
        self.jobs.begin(Job::Moves, POLL_INTERVAL);
        loop {
            match self.jobs.run(Job::Moves, self.move_next()).await {
                Ok(true) => {}
                Ok(false) => sleep(POLL_INTERVAL).await,
                Err(error) => {
                    warn!(cause = error.causes(), "could not move files; tried again later");
                    sleep(POLL_INTERVAL).await;
                }
            }
        }
    }

    async fn move_next(self: &Arc<Self>) -> Result<bool> {
        let holder = format!("{}/{}", self.instance_id, uuid::Uuid::now_v7());
        let mover = Mover { holder: &holder, lease: LEASE };
        let Some(job) = store_moves::take(&self.catalog, mover).await? else { return Ok(false) };
        info!(id = %job.id, from = job.wish.selection.from, to = job.wish.to, "a move of files begins");
        let before = job.progress;
        let (ended, progress) = match Moving::new(self, job.wish.clone(), before) {
            Ok(moving) => {
                let Some(ended) = self.watch(&job, mover, &moving).await else {
                    info!(id = %job.id, "a move of files was ended, or another server has it");
                    moving.let_go().await?;
                    return Ok(true);
                };
                (ended, moving.progress())
            }
            Err(error) => (Err(error), before),
        };
        let (state, problem) = verdict(ended, progress);
        info!(
            id = %job.id, state = state.as_str(), files = progress.moved.files, bytes = progress.moved.bytes,
            "a move of files is over"
        );
        let problem = problem.as_deref();
        store_moves::finish(&self.catalog, job.id, &holder, state, progress, problem).await?;
        Ok(true)
    }

    /// Moves, and says how far it is; nothing when the move is somebody else's by now, or nobody's.
    async fn watch(
        &self,
        job: &StoreMove,
        mover: Mover<'_>,
        moving: &Moving,
    ) -> Option<Result<()>> {
        let mut work = pin!(moving.run());
        loop {
            tokio::select! {
                ended = &mut work => return Some(ended),
                () = sleep(TELL_INTERVAL) => {
                    let (now, problem) = (moving.progress(), last_problem(moving));
                    let told =
                        store_moves::progress(&self.catalog, job.id, mover, now, problem.as_deref());
                    match told.await {
                        Ok(true) => {}
                        Ok(false) => return None,
                        Err(error) => warn!(id = %job.id, %error, "could not say how far a move is"),
                    }
                }
            }
        }
    }

    /// As people see it.
    fn move_view(&self, item: StoreMove) -> StoreMoveView {
        let progress = item.progress;
        let until = item.ended_at.unwrap_or_else(|| self.catalog.now());
        let seconds = item
            .started_at
            .map_or(0, |from| u64::try_from((until - from).num_seconds()).unwrap_or_default());
        let speed = unsigned(progress.copied_bytes) / seconds.max(1);
        let left = unsigned(progress.total.bytes - progress.moved.bytes);
        StoreMoveView {
            id: item.id,
            from: item.wish.selection.from,
            to: item.wish.to,
            organization: item.wish.organization_name,
            box_name: item.wish.box_name,
            larger_than: item.wish.selection.larger_than.map(unsigned),
            bytes_per_second: item.wish.bytes_per_second.map(unsigned),
            concurrency: u32::try_from(item.wish.concurrency).unwrap_or_default(),
            state: state_view(item.state),
            total: amount_view(progress.total.files, progress.total.bytes),
            moved: amount_view(progress.moved.files, progress.moved.bytes),
            copied_bytes: unsigned(progress.copied_bytes),
            failed_files: unsigned(progress.failed_files),
            damaged_files: unsigned(progress.damaged_files),
            speed_bytes_per_second: speed,
            seconds_left: (item.state == State::Running && speed > 0).then(|| left / speed),
            problem: item.problem,
            created_at: item.created_at,
            started_at: item.started_at,
            ended_at: item.ended_at,
        }
    }
}

/// How a move ended, and what to say of it.
fn verdict(ended: Result<()>, progress: Progress) -> (State, Option<String>) {
    match ended {
        Err(error) => (State::Failed, Some(error.message().to_owned())),
        Ok(()) if progress.failed_files + progress.damaged_files > 0 => (
            State::Failed,
            Some(format!(
                "{} files are damaged (/api/storage/damaged names them) and {} could not be copied; they stay \
                 where they are",
                progress.damaged_files, progress.failed_files
            )),
        ),
        Ok(()) => (State::Done, None),
    }
}

fn last_problem(moving: &Moving) -> Option<String> {
    let finding = moving.findings().pop()?;
    Some(format!("{} in {:?}: {}", finding.key, finding.store, finding.problem))
}

fn state_view(state: State) -> StoreMoveState {
    match state {
        State::Waiting => StoreMoveState::Waiting,
        State::Running => StoreMoveState::Running,
        State::Done => StoreMoveState::Done,
        State::Failed => StoreMoveState::Failed,
        State::Canceled => StoreMoveState::Canceled,
    }
}

fn amount_view(files: i64, bytes: i64) -> AmountView {
    AmountView { files: unsigned(files), bytes: unsigned(bytes) }
}

fn no_move() -> AppError {
    AppError::new(ErrorCode::MoveNotFound, "there is no such move")
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
