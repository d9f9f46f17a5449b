//! Measures lists and searches over few boxes and over many, on the database that a URL names or on `SQLite`:
//! `cargo run --example search_speed --features testing -- [BOXES] [URL]`. The database must be empty.

use std::time::{Duration, Instant};

use boxvault_catalog::boxes::{self, BoxChanges, BoxFilter, BoxSort, NewBox, Visibility};
use boxvault_catalog::organizations::{self, AccessMode, NewOrganization};
use boxvault_catalog::testing::TestDatabase;
use boxvault_catalog::users::{self, NewUser};
use boxvault_catalog::{Catalog, CatalogError, Options, Order, Page};
use boxvault_types::ids::{OrganizationId, UserId};
use boxvault_types::names::{BoxName, OrganizationName, UserName};
use boxvault_types::tags::BoxTag;

const ROUNDS: u32 = 50;
/// As many boxes as one organization has.
const BOXES_EACH: usize = 50;
const SYSTEMS: [&str; 8] =
    ["debian", "ubuntu", "alpine", "fedora", "rocky", "arch", "windows", "freebsd"];
const USES: [&str; 5] = ["server", "desktop", "kubernetes", "docker", "builder"];

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let many: usize = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let scratch;
    let catalog = match arguments.next() {
        Some(url) => {
            let catalog = Catalog::connect(&url, Options::default()).await?;
            catalog.migrate().await?;
            catalog
        }
        None => {
            scratch = TestDatabase::sqlite().await;
            scratch.catalog.clone()
        }
    };
    let few = 100;
    let owners = fill(&catalog, 0, few).await?;
    let before = measure(&catalog, &owners).await?;
    let start = Instant::now();
    fill(&catalog, few, many).await?;
    say(format_args!("{} boxes made in {:.0?}", many - few, start.elapsed()));
    let after = measure(&catalog, &owners).await?;
    say(format_args!("{:44} {few:>10} {many:>10}", "microseconds a page, median"));
    for ((what, few), (_, many)) in before.iter().zip(&after) {
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        let (few, many) = (few.as_micros(), many.as_micros());
        say(format_args!("{what:44} {few:>10} {many:>10}  {ratio:.1} times"));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what is measured is printed")]
fn say(text: std::fmt::Arguments<'_>) {
    println!("{text}");
}

/// Makes boxes of a number up to another one; a box in a hundred is private. Tells who owns them.
async fn fill(catalog: &Catalog, from: usize, to: usize) -> Outcome<Vec<OrganizationId>> {
    let owner = user(catalog, from).await?;
    let mut organizations = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    for first in (from..to).step_by(BOXES_EACH) {
        let organization = NewOrganization {
            name: OrganizationName::parse(&format!("org-{first}"))?,
            description: String::new(),
            email: None,
            access_mode: AccessMode::Private,
            owner,
        };
        let id = organizations::create(catalog, organization).await?.id;
        organizations.push(id);
        let catalog = catalog.clone();
        tasks.spawn(async move {
            for number in first..(first + BOXES_EACH).min(to) {
                make(&catalog, id, number).await?;
            }
            Ok::<_, CatalogError>(())
        });
        if tasks.len() >= 8
            && let Some(done) = tasks.join_next().await
        {
            done??;
        }
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(organizations)
}

async fn user(catalog: &Catalog, number: usize) -> Outcome<UserId> {
    let user = NewUser {
        name: UserName::parse(&format!("user-{number}"))?,
        email: None,
        display_name: String::new(),
        password_hash: None,
        platform_admin: false,
        email_verified: false,
    };
    Ok(users::create(catalog, user).await?.id)
}

async fn make(catalog: &Catalog, owner: OrganizationId, number: usize) -> Result<(), CatalogError> {
    let pick = |words: &[&'static str]| words.get(number % words.len()).copied().unwrap_or("linux");
    let (system, usage) = (pick(&SYSTEMS), pick(&USES));
    let name = BoxName::parse(&format!("{system}-{usage}-{number}")).expect("it is a name");
    let new = NewBox {
        organization_id: owner,
        name,
        short_description: format!("A {system} machine for {usage} work, number {number}"),
        description: "What it is. ".repeat(100),
        readme: None,
        tags: vec![BoxTag::parse(system).expect("it is a tag")],
        links: boxes::Links::default(),
        is_public: number % 100 != 99,
        created_by: None,
        takes_former_name: false,
    };
    let made = boxes::create(catalog, new).await?;
    if number.is_multiple_of(1_000) {
        let readme = Some("# Read me".to_owned());
        boxes::update(catalog, made.id, BoxChanges { readme, ..BoxChanges::default() }).await?;
    }
    Ok(())
}

/// What is asked, and how long half of the answers took at most.
async fn measure(catalog: &Catalog, of: &[OrganizationId]) -> Outcome<Vec<(String, Duration)>> {
    let member = || Visibility::MemberOf(of.to_vec());
    let sorted = |sort, order| BoxFilter { sort, order, ..BoxFilter::default() };
    let searched =
        |q: &str, sort, order| BoxFilter { q: Some(q.to_owned()), ..sorted(sort, order) };
    let cases = [
        ("discover by name", sorted(BoxSort::Name, Order::Ascending)),
        ("discover, the last created first", sorted(BoxSort::Created, Order::Descending)),
        ("discover, the most downloaded first", sorted(BoxSort::Downloads, Order::Descending)),
        (
            "discover by a member of an organization",
            BoxFilter { visibility: member(), ..BoxFilter::default() },
        ),
        (
            "all, as a platform admin",
            BoxFilter { visibility: Visibility::All, ..BoxFilter::default() },
        ),
        (
            "the list of an organization",
            BoxFilter {
                visibility: member(),
                organization: of.first().copied(),
                ..BoxFilter::default()
            },
        ),
        (
            "search for one box: debian-server-40",
            searched("debian-server-40", BoxSort::Relevance, Order::Descending),
        ),
        (
            "search for what every eighth has: debian",
            searched("debian", BoxSort::Relevance, Order::Descending),
        ),
        ("the same by name", searched("debian", BoxSort::Name, Order::Ascending)),
        (
            "search for a beginning: de ser",
            searched("de ser", BoxSort::Relevance, Order::Descending),
        ),
        (
            "search for what none has: nothing",
            searched("nothing", BoxSort::Relevance, Order::Descending),
        ),
        ("by tag", BoxFilter { tag: Some(BoxTag::parse("windows")?), ..BoxFilter::default() }),
    ];
    let mut times = Vec::new();
    for (what, filter) in cases {
        let mut all = Vec::new();
        for _ in 0..ROUNDS {
            let start = Instant::now();
            boxes::list(catalog, &filter, Page::default()).await?;
            all.push(start.elapsed());
        }
        all.sort_unstable();
        times.push((what.to_owned(), all.get(all.len() / 2).copied().unwrap_or_default()));
    }
    Ok(times)
}
