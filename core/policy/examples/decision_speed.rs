//! Measures decisions beside plain Casbin: `cargo run --release -p boxvault-policy --example decision_speed`.
//!
//! For 10, 1 000, 10 000 and 100 000 rules: the time of a decision that was never asked before, and of one that was,
//! beside Casbin's `enforce` over the same rules; then what it takes to build such a policy. With `--json` one line of
//! JSON for each, as tests/bench/run reads it. In the same way beside rules of organizations' own, without Casbin, and
//! what a change of one organization's takes. It judges nothing: figures depend on the machine, their ratio less so.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use boxvault_policy::{AccessRequest, Overlay, OverlayLimits, Policy, Relations};
use boxvault_types::action::{Action, Resource};
use boxvault_types::identity::{Caller, Credential, Identity, LOCAL_ISSUER, Role, TokenScope};
use boxvault_types::ids::UserId;
use boxvault_types::names::{BoxName, NameError, OrganizationName, UserName};
use boxvault_types::scope;
use boxvault_types::version::BoxVersion;
use casbin::function_map::OperatorFunction;
use casbin::rhai::Dynamic;
use casbin::{CoreApi, DefaultModel, Enforcer, MgmtApi, NullAdapter};

const MODEL: &str = include_str!("../../../policies/model.conf");
const SIZES: [usize; 4] = [10, 1_000, 10_000, 100_000];
/// Fewer than are remembered, so that the second time all of them are.
const QUESTIONS: usize = 6_000;
/// Plain Casbin is asked for so long, and a few times at least: it looks at every rule.
const CASBIN_FOR: Duration = Duration::from_secs(2);
const CASBIN_TIMES: usize = 5;

/// Organizations with rules of their own, beside [`SITE_RULES`] of the site.
const ORGANIZATIONS: [usize; 3] = [100, 1_000, 5_000];
const SITE_RULES: usize = 1_000;
const OWN_LINES: usize = 20;
const OWN_CHANGES: usize = 11;

struct Figures {
    rules: usize,
    uncached: Percentiles,
    cached: Percentiles,
    casbin: Percentiles,
    build: Duration,
    mib: f64,
}

struct OwnFigures {
    organizations: usize,
    uncached: Percentiles,
    cached: Percentiles,
    build: Duration,
    change: Percentiles,
}

/// In nanoseconds.
struct Percentiles {
    p50: u64,
    p99: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let json = std::env::args().any(|argument| argument == "--json");
    if !json {
        println!(
            "| rules | new, p50 | p99 | asked before, p50 | p99 | plain Casbin, p50 | p99 | \
             Casbin ÷ new | ÷ asked before | built in | memory |\n{}|",
            "|---:".repeat(11)
        );
    }
    for rules in SIZES {
        let figures = measure(rules).await?;
        println!("{}", if json { figures.json() } else { figures.row() });
    }
    if !json {
        println!(
            "\n| organizations with {OWN_LINES} lines | new, p50 | p99 | asked before, p50 | p99 | \
             all built in | one changed in |\n{}|",
            "|---:".repeat(7)
        );
    }
    for organizations in ORGANIZATIONS {
        let figures = measure_own(organizations)?;
        println!("{}", if json { figures.json() } else { figures.row() });
    }
    Ok(())
}

async fn measure(rules: usize) -> Result<Figures, Box<dyn std::error::Error>> {
    let text = text_of(rules);
    let memory_before = resident_mib();
    let started = Instant::now();
    let policy = Policy::from_texts(MODEL, &[("policy.csv", &text)])?;
    let (build, mib) = (started.elapsed(), resident_mib() - memory_before);
    let questions = questions()?;
    let decide = |question: &AccessRequest| policy.decide(question).allowed;
    // the first question brings everything else into the processor's caches
    black_box(questions.first().map(decide));
    let uncached =
        Percentiles::of(questions.iter().skip(1).map(|question| timed(|| decide(question))));
    let cached = Percentiles::of(questions.iter().map(|question| timed(|| decide(question))));
    let plain = plain_casbin(&text).await?;
    let asked_until = Instant::now() + CASBIN_FOR;
    let casbin = Percentiles::of(
        questions
            .iter()
            .enumerate()
            .take_while(|(times, _)| *times < CASBIN_TIMES || Instant::now() < asked_until)
            .map(|(_, question)| {
                timed(|| {
                    let action = question.action().as_str();
                    let answer =
                        plain.enforce(("who", question.domain(), question.object(), action));
                    assert_eq!(answer.ok(), Some(decide(question)), "Casbin disagrees");
                })
            }),
    );
    Ok(Figures { rules, uncached, cached, casbin, build, mib })
}

/// The same questions beside rules of that many organizations' own, and a change of those of one.
fn measure_own(organizations: usize) -> Result<OwnFigures, Box<dyn std::error::Error>> {
    let site = Policy::from_texts(MODEL, &[("policy.csv", &text_of(SITE_RULES))])?;
    let overlays: Vec<Overlay> = (0..organizations).map(|number| own_rules(number, 1)).collect();
    let started = Instant::now();
    let mut policy = site.with_overlays(overlays);
    let build = started.elapsed();
    let questions = questions()?;
    let decide = |question: &AccessRequest| policy.decide(question).allowed;
    black_box(questions.first().map(decide));
    let uncached =
        Percentiles::of(questions.iter().skip(1).map(|question| timed(|| decide(question))));
    let cached = Percentiles::of(questions.iter().map(|question| timed(|| decide(question))));
    let mut changes = Vec::with_capacity(OWN_CHANGES);
    for version in 2_i64.. {
        if changes.len() == OWN_CHANGES {
            break;
        }
        let (limits, overlay) =
            (OverlayLimits { bytes_max: 65_536, lines_max: 1_000 }, own_rules(0, version));
        let started = Instant::now();
        policy = policy.with_new_overlay(overlay, limits, None)?;
        changes.push(u64::try_from(started.elapsed().as_nanos())?);
    }
    let change = Percentiles::of(changes.into_iter());
    Ok(OwnFigures { organizations, uncached, cached, build, change })
}

/// What owners write: a role of the organization's own, who has it, and what it may do; some denies. The first is that
/// of the organization that is asked about.
fn own_rules(number: usize, version: i64) -> Overlay {
    let name = if number == 0 { "acme".to_owned() } else { format!("organization{number}") };
    let mut text =
        format!("# version {version}\ng, group:ldap:staff, role:{name}/release, {name}\n");
    for line in 1..OWN_LINES {
        let (effect, action) = if line % 5 == 0 { ("deny", "delete") } else { ("allow", "update") };
        // writing to a String cannot fail
        let _written =
            writeln!(text, "p, role:{name}/release, {name}, box/box{line}/**, {action}, {effect}");
    }
    Overlay::new(&name, version, &text, &name)
}

fn timed<T>(work: impl FnOnce() -> T) -> u64 {
    let started = Instant::now();
    black_box(work());
    u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// As many rules as asked for, of the kinds that sites write: for people, groups and roles; on one box, on all, on
/// parts of them; some denies.
fn text_of(rules: usize) -> String {
    let mut text = "p, role:platform-admin, *, **, *, allow\n\
                    p, role:member, *, box/**, read, allow\n\
                    p, role:member, *, box/**, download, allow\n\
                    p, authenticated, acme, box/golden/**, delete, deny\n"
        .to_owned();
    for number in 4..rules {
        let line = match number % 6 {
            0 => format!("user:local:u{number}, acme, box/box{number}/**, *, allow"),
            1 => format!("role:member, acme, box/box{number}, update, allow"),
            2 => format!("group:ldap:staff, acme, box/*/version/{number}.0.0/**, delete, allow"),
            3 => format!("role:member, organization{number}, box/**, create, allow"),
            4 => format!("group:ldap:group{number}, *, box/*/version/*, release, allow"),
            _ => format!("role:member, acme, box/box{number}/**, delete, deny"),
        };
        // writing to a String cannot fail
        let _written = writeln!(text, "p, {line}");
    }
    text
}

/// What a member who is in two directory groups asks of many boxes and versions. Most of it some rule decides; where
/// none does, Casbin need not be asked.
fn questions() -> Result<Vec<AccessRequest>, NameError> {
    let acme = OrganizationName::parse("acme")?;
    let identity = Identity::User(Arc::new(Caller {
        user_id: UserId::new(),
        name: UserName::parse("bob")?,
        issuer: LOCAL_ISSUER.to_owned(),
        platform_admin: false,
        language: None,
        memberships: vec![(acme.clone(), Role::Member)],
        groups: vec!["ldap:staff".to_owned(), "ldap:developers".to_owned()],
        credential: Credential::None,
        scope: TokenScope::default(),
        service: None,
    }));
    let relations = Relations { creator: false, public: false };
    let actions = [Action::Read, Action::Download, Action::Delete, Action::Update];
    (0..QUESTIONS)
        .map(|number| {
            let name = BoxName::parse(&format!("box{number}"))?;
            let resource = match BoxVersion::parse(&format!("{number}.0.0")) {
                Ok(version) if number % 3 == 0 => {
                    Resource::Version(acme.clone(), name, Some(version))
                }
                _ => Resource::Box(acme.clone(), Some(name)),
            };
            let action = actions.get(number / 3 % 4).copied().unwrap_or(Action::Read);
            Ok(AccessRequest::new(&identity, &resource, action, relations))
        })
        .collect()
}

/// Casbin with all rules, as it comes; the caller is somebody who has those roles in acme.
async fn plain_casbin(text: &str) -> Result<Enforcer, casbin::Error> {
    let within = |object: Dynamic, pattern: Dynamic| {
        let texts = (object.into_immutable_string(), pattern.into_immutable_string());
        let (Ok(object), Ok(pattern)) = texts else { return false.into() };
        scope::matches(&pattern, &object).into()
    };
    let model = DefaultModel::from_str(MODEL).await?;
    let mut enforcer = Enforcer::new(model, NullAdapter).await?;
    enforcer.add_function("within", OperatorFunction::Arg2(within));
    let rows = text.lines().map(|line| line.split(", ").skip(1).map(str::to_owned).collect());
    enforcer.add_policies(rows.collect()).await?;
    let roles = ["authenticated", "user:local:bob", "group:ldap:staff", "role:member"];
    let links = roles.map(|role| ["who", role, "acme"].map(str::to_owned).to_vec());
    enforcer.add_grouping_policies(links.to_vec()).await?;
    Ok(enforcer)
}

/// Memory of this process that lies in the machine's, as Linux counts it; 0 elsewhere.
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u32>().ok());
    f64::from(kib.unwrap_or_default()) / 1024.0
}

impl Percentiles {
    fn of(times: impl Iterator<Item = u64>) -> Self {
        let mut times: Vec<u64> = times.collect();
        times.sort_unstable();
        let at = |percent: usize| {
            let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(place).copied().unwrap_or_default()
        };
        Self { p50: at(50), p99: at(99) }
    }
}

impl Figures {
    fn row(&self) -> String {
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} × | {} × | {:.0} ms | {:.0} MiB |",
            self.rules,
            shown(self.uncached.p50),
            shown(self.uncached.p99),
            shown(self.cached.p50),
            shown(self.cached.p99),
            shown(self.casbin.p50),
            shown(self.casbin.p99),
            self.casbin.p50 / self.uncached.p50.max(1),
            self.casbin.p50 / self.cached.p50.max(1),
            self.build.as_secs_f64() * 1000.0,
            self.mib,
        )
    }

    fn json(&self) -> String {
        format!(
            r#"{{"rules":{},"uncached_ns":[{},{}],"cached_ns":[{},{}],"casbin_ns":[{},{}],"build_ms":{:.1},"memory_mib":{:.1}}}"#,
            self.rules,
            self.uncached.p50,
            self.uncached.p99,
            self.cached.p50,
            self.cached.p99,
            self.casbin.p50,
            self.casbin.p99,
            self.build.as_secs_f64() * 1000.0,
            self.mib,
        )
    }
}

impl OwnFigures {
    fn row(&self) -> String {
        format!(
            "| {} | {} | {} | {} | {} | {:.0} ms | {} |",
            self.organizations,
            shown(self.uncached.p50),
            shown(self.uncached.p99),
            shown(self.cached.p50),
            shown(self.cached.p99),
            self.build.as_secs_f64() * 1000.0,
            shown(self.change.p50),
        )
    }

    fn json(&self) -> String {
        format!(
            r#"{{"organizations":{},"uncached_ns":[{},{}],"cached_ns":[{},{}],"change_ns":[{},{}],"build_ms":{:.1}}}"#,
            self.organizations,
            self.uncached.p50,
            self.uncached.p99,
            self.cached.p50,
            self.cached.p99,
            self.change.p50,
            self.change.p99,
            self.build.as_secs_f64() * 1000.0,
        )
    }
}

fn shown(nanoseconds: u64) -> String {
    let microseconds = Duration::from_nanos(nanoseconds).as_secs_f64() * 1e6;
    if microseconds < 1_000.0 {
        format!("{microseconds:.2} µs")
    } else {
        format!("{:.1} ms", microseconds / 1000.0)
    }
}
