//! Questions to the policy in force: may they, and why.

use boxvault_policy::{AccessRequest, Cause, Explanation, NearRule, explain};
use boxvault_types::{
    params::policies::PolicyQuestion,
    views::policies::{CauseView, ExplanationView, NearRuleView},
};

use super::{App, rule_view};
use crate::error::{AppError, Result};

impl App {
    /// Decides as the server would, and says why.
    ///
    /// # Errors
    /// Words that rules do not know.
    pub(crate) fn explain_decision(&self, question: &PolicyQuestion) -> Result<ExplanationView> {
        let PolicyQuestion { subject, action, object, organization } = question;
        let request = AccessRequest::parse(subject, organization.as_deref(), object, action)
            .map_err(|error| {
                AppError::invalid(error.part, format!("rules say otherwise: {error}"))
            })?;
        Ok(view(explain(&self.policy.load(), &request)))
    }
}

fn view(explanation: Explanation) -> ExplanationView {
    let Explanation { subjects, domain, object, action, allowed, reason, .. } = explanation;
    ExplanationView {
        allowed,
        reason: reason.as_str().to_owned(),
        subjects,
        domain,
        object,
        action: action.to_string(),
        rule: explanation.rule.map(cause_view),
        others: explanation.others.into_iter().map(cause_view).collect(),
        near: explanation.near.into_iter().map(near_view).collect(),
        remedies: explanation.remedies,
    }
}

fn cause_view(cause: Cause) -> CauseView {
    let Cause { rule, allows, subject, through } = cause;
    let through = through.into_iter().map(rule_view).collect();
    CauseView { rule: rule_view(rule), allows, subject, through }
}

fn near_view(near: NearRule) -> NearRuleView {
    NearRuleView { rule: rule_view(near.rule), differs: near.differs }
}
