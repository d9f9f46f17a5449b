//! The application as handlers hold it, and handlers as the compiler builds them fast.
//!
//! A handler is a future that must be `Send`. The compiler proves that within `Handler::handle`, whose bounds keep it from
//! knowing what it has proved for the handler before, so it went through all that an application is made of (a database, a
//! mailer, a policy engine…) for each of them: three quarters of the time that this crate took to build. Nothing here has
//! an effect on what the program does.

use std::{ops::Deref, sync::Arc};

/// Boxes the future of a handler, below `#[handler]`: what its body holds is proved to be `Send` outside of `handle`.
pub(crate) use async_recursion::async_recursion as boxed;

use salvo::{Depot, FlowCtrl, Handler, Request, Response, async_trait};

use crate::{
    app::App,
    error::{AppError, Result},
};

/// The application, put where the hoops and handlers of a route find it.
///
/// Behind a trait, which says that it is `Send` and `Sync`.
#[derive(Clone)]
pub(crate) struct SharedApp(Arc<dyn AsRef<Arc<App>> + Send + Sync>);

struct Holder(Arc<App>);

impl AsRef<Arc<App>> for Holder {
    fn as_ref(&self) -> &Arc<App> {
        &self.0
    }
}

impl Deref for SharedApp {
    type Target = Arc<App>;

    fn deref(&self) -> &Arc<App> {
        (*self.0).as_ref()
    }
}

impl SharedApp {
    pub(super) fn new(app: Arc<App>) -> Self {
        Self(Arc::new(Holder(app)))
    }

    pub(super) fn of(depot: &Depot) -> Result<Self> {
        depot
            .get_typed::<Self>()
            .cloned()
            .map_err(|_| AppError::internal("the depot has no application"))
    }
}

#[async_trait]
impl Handler for SharedApp {
    async fn handle(&self, _: &mut Request, depot: &mut Depot, _: &mut Response, _: &mut FlowCtrl) {
        depot.insert_typed(self.clone());
    }
}
