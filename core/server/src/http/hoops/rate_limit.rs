//! How often one user, or one address without a user, may ask.

use std::num::NonZeroU32;

use boxvault_types::{error::ErrorCode, identity::Identity};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock, clock::DefaultClock};
use salvo::{Depot, FlowCtrl, Handler, Request, Response, Writer, async_trait, http::Method};

use super::authenticate::Refusal;
use crate::{config::LimitsConfig, error::AppError, http::call::RequestFacts};

/// After how many new keys the idle ones are forgotten.
const KEYS_BEFORE_CLEANING: usize = 100_000;

/// See the module.
pub(crate) struct RateLimit {
    all: Option<DefaultKeyedRateLimiter<String>>,
    sign_in: Option<DefaultKeyedRateLimiter<String>>,
    clock: DefaultClock,
}

impl RateLimit {
    /// The limits of the configuration; zero is no limit.
    pub(crate) fn new(limits: &LimitsConfig) -> Self {
        let limiter = |per_minute: u32, burst: u32| {
            let quota = Quota::per_minute(NonZeroU32::new(per_minute)?);
            let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
            Some(RateLimiter::keyed(quota.allow_burst(burst)))
        };
        Self {
            all: limiter(limits.requests_per_minute, limits.requests_burst),
            sign_in: limiter(
                limits.sign_in_requests_per_minute,
                limits.sign_in_requests_per_minute,
            ),
            clock: DefaultClock::default(),
        }
    }

    fn check(
        &self,
        limiter: &DefaultKeyedRateLimiter<String>,
        key: &String,
    ) -> Result<(), AppError> {
        if limiter.len() > KEYS_BEFORE_CLEANING {
            limiter.retain_recent();
        }
        limiter.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            AppError::new(
                ErrorCode::RateLimited,
                format!("too many requests; come back in {} s", wait.as_secs() + 1),
            )
            .with_retry_after(wait + std::time::Duration::from_secs(1))
        })
    }
}

/// Requests that guess at a password or a code, or send mail. To refresh a session is none: its token is not to be guessed,
/// and every page that is opened anew begins with it, those of all people behind one address.
fn is_sign_in(method: &Method, path: &str) -> bool {
    // clients of Vagrant Cloud ask who they are at the same path, before each command
    if matches!(path, "api/v1/authenticate" | "api/v2/authenticate") {
        return method == Method::POST;
    }
    // each is a row until it is finished, or too late
    if path.starts_with("api/auth/methods/") {
        return method == Method::POST && path.ends_with("/begin");
    }
    matches!(
        path,
        "api/auth/signin"
            | "api/auth/signup"
            | "api/setup"
            | "api/auth/forgot-password"
            | "api/auth/reset-password"
            | "api/auth/verify-email"
            | "api/auth/resend-verification"
            | "api/invitations/open"
            | "api/invitations/accept"
            | "api/invitations/decline"
            | "api/user/password"
            | "api/user/email"
            | "api/user/second-factor"
            | "api/user/second-factor/disable"
            | "api/user/second-factor/recovery-codes"
    )
}

#[async_trait]
impl Handler for RateLimit {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        let facts = RequestFacts::of(depot);
        // a page has dozens of these, which are in memory: to refuse one costs as much, and breaks the page
        if facts.path.starts_with("assets/") {
            return;
        }
        let address = facts.address.to_string();
        let key = match depot.get_typed::<Identity>() {
            Ok(Identity::User(caller)) => match &caller.service {
                Some(service) => service.id.to_string(),
                None => caller.user_id.to_string(),
            },
            _ => address.clone(),
        };
        let mut outcome = self.all.as_ref().map_or(Ok(()), |limiter| self.check(limiter, &key));
        if let (Ok(()), Some(limiter), true) =
            (&outcome, &self.sign_in, is_sign_in(req.method(), &facts.path))
        {
            outcome = self.check(limiter, &address);
        }
        // bad credentials cost a look-up, so they count before they are refused
        if let (Ok(()), Ok(Refusal(error))) = (&outcome, depot.remove_typed::<Refusal>()) {
            outcome = Err(error);
        }
        if let Err(error) = outcome {
            error.write(req, depot, res).await;
            ctrl.skip_rest();
        }
    }
}
