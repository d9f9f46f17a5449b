//! Measures decisions by the shipped rules: `cargo run --release -p boxvault-policy --example decision_speed`.
//!
//! Prints time per decision, one thread and two, for questions that were never asked before and for one that was.
//! It judges nothing: figures depend on the machine.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use boxvault_policy::{AccessRequest, Policy, PolicyError, Relations};
use boxvault_types::action::{Action, Resource};
use boxvault_types::identity::{Caller, Credential, Identity, LOCAL_ISSUER, Role, TokenScope};
use boxvault_types::ids::UserId;
use boxvault_types::names::{BoxName, NameError, OrganizationName, UserName};

const NEW_QUESTIONS: usize = 20_000;
const OLD_QUESTIONS: usize = 400_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let identity = member()?;
    let resource = web("web")?;
    let relations = Relations { creator: true, public: true };
    let started = Instant::now();
    for _ in 0..20 {
        black_box(Policy::embedded()?);
    }
    report("build the shipped policy", started, 20);

    let started = Instant::now();
    for _ in 0..OLD_QUESTIONS {
        black_box(AccessRequest::new(&identity, &resource, Action::Read, relations));
    }
    report("make a question", started, OLD_QUESTIONS);

    for (name, action) in [("read", Action::Read), ("delete", Action::Delete)] {
        let questions = (0..NEW_QUESTIONS)
            .map(|number| {
                let resource = web(&format!("box{number}"))?;
                Ok(AccessRequest::new(&identity, &resource, action, relations))
            })
            .collect::<Result<Vec<_>, NameError>>()?;
        for threads in [1, 2] {
            let policy = Policy::embedded()?;
            let title = format!("{name} a box, new question, {threads} thread(s)");
            on_threads(&title, &policy, &questions, threads, 1);
        }
    }
    let question = [AccessRequest::new(&identity, &resource, Action::Read, relations)];
    for threads in [1, 2] {
        let policy = Policy::embedded()?;
        let title = format!("read a box, asked before, {threads} thread(s)");
        on_threads(&title, &policy, &question, threads, OLD_QUESTIONS);
    }
    with_more_rules(&identity, relations)
}

/// The same with rules of a site that speak of the same action and kind of object.
fn with_more_rules(
    identity: &Identity,
    relations: Relations,
) -> Result<(), Box<dyn std::error::Error>> {
    let model = include_str!("../../../policies/model.conf");
    let shipped = include_str!("../../../policies/policy.csv");
    for more in [100, 1_000] {
        let site: Vec<String> = (0..more)
            .map(|number| format!("p, user:local:u{number}, acme, box/gold{number}, read, allow"))
            .collect();
        let files = [("policy.csv", shipped), ("site.csv", &site.join("\n"))];
        let policy: Result<Policy, PolicyError> = Policy::from_texts(model, &files);
        let policy = policy?;
        let questions = (0..500)
            .map(|number| {
                let resource = web(&format!("box{number}"))?;
                Ok(AccessRequest::new(identity, &resource, Action::Read, relations))
            })
            .collect::<Result<Vec<_>, NameError>>()?;
        let title = format!("read a box, new question, {more} rules more");
        on_threads(&title, &policy, &questions, 1, 1);
    }
    Ok(())
}

fn on_threads(
    title: &str,
    policy: &Policy,
    questions: &[AccessRequest],
    threads: usize,
    rounds: usize,
) {
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                // each thread has its own share of the questions, so that none answers for another
                let share = questions.iter().skip(if rounds == 1 { thread } else { 0 });
                let step = if rounds == 1 { threads } else { 1 };
                let share: Vec<&AccessRequest> = share.step_by(step).collect();
                for _ in 0..rounds {
                    for question in &share {
                        black_box(policy.decide(question).allowed);
                    }
                }
            });
        }
    });
    let times = if rounds == 1 { questions.len() } else { rounds * questions.len() * threads };
    report(title, started, times);
}

fn report(title: &str, started: Instant, times: usize) {
    let nanoseconds = started.elapsed().as_nanos() / times.max(1) as u128;
    println!("{title:<50} {nanoseconds:>9} ns each");
}

fn web(name: &str) -> Result<Resource, NameError> {
    Ok(Resource::Box(OrganizationName::parse("acme")?, Some(BoxName::parse(name)?)))
}

/// A member who is in two directory groups.
fn member() -> Result<Identity, NameError> {
    Ok(Identity::User(Arc::new(Caller {
        user_id: UserId::new(),
        name: UserName::parse("bob")?,
        issuer: LOCAL_ISSUER.to_owned(),
        platform_admin: false,
        language: None,
        memberships: vec![(OrganizationName::parse("acme")?, Role::Member)],
        groups: vec!["ldap:staff".to_owned(), "ldap:developers".to_owned()],
        credential: Credential::None,
        scope: TokenScope::default(),
        service: None,
    })))
}
