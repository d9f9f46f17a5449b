//! Changes of the policy while it is asked.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::{PolicyError, PolicyHandle, watch};

const SWAPS: u64 = 1_000;

fn write(dir: &Path, name: &str, text: &str) {
    let mut file = std::fs::File::create(dir.join(name)).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
}

/// A folder with rules by which an anonymous caller may do this with public boxes.
fn folder(action: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "model.conf", MODEL);
    write(dir.path(), "policy.csv", &rules_that_allow(action));
    dir
}

fn rules_that_allow(action: &str) -> String {
    format!("{ADMIN}p, role:public, *, box/**, {action}, allow\n")
}

fn allows(policy: &Policy, action: Action) -> bool {
    ask(policy, &Identity::Anonymous, &box_of("acme", "web"), action, PUBLIC).allowed
}

/// Reads the folder, and puts its policy in force if it differs, as a server does for its own. True if something changed.
async fn reload_now(handle: &PolicyHandle) -> Result<bool, PolicyError> {
    let _guard = handle.changing().await;
    match handle.read_folder().await {
        Ok(Some(policy)) => {
            drop(handle.replace(policy));
            Ok(true)
        }
        Ok(None) => {
            handle.accept();
            Ok(false)
        }
        Err(refusal) => {
            handle.refuse(&refusal);
            Err(refusal)
        }
    }
}

fn spawn_watcher(handle: &Arc<PolicyHandle>) -> tokio::task::JoinHandle<()> {
    let reloaded = Arc::clone(handle);
    tokio::spawn(watch(Arc::clone(handle), Duration::from_millis(3), move || {
        let handle = Arc::clone(&reloaded);
        async move { drop(reload_now(&handle).await) }
    }))
}

/// Waits until something is so, for at most ten seconds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "still not so: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[test]
fn no_request_sees_a_mixed_or_empty_policy_while_a_thousand_are_swapped_in() {
    let build = |action: &str| {
        Policy::from_texts(MODEL, &[("policy.csv", &rules_that_allow(action))]).unwrap()
    };
    let digests = [build("read").digest().to_owned(), build("update").digest().to_owned()];
    let handle = PolicyHandle::new(build("read"), None);
    let (done, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let policy = handle.load();
                    let answers = (allows(&policy, Action::Read), allows(&policy, Action::Update));
                    let expected =
                        if policy.digest() == digests[0] { (true, false) } else { (false, true) };
                    assert_eq!(answers, expected);
                    assert!(digests.iter().any(|digest| digest == policy.digest()));
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for swap in 0..SWAPS {
            handle.replace(build(if swap % 2 == 0 { "update" } else { "read" }));
        }
        // the askers had their share of both
        let deadline = Instant::now() + Duration::from_secs(10);
        while asked.load(Ordering::Relaxed) < SWAPS && Instant::now() < deadline {
            std::thread::yield_now();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(asked.into_inner() >= SWAPS);
    assert_eq!(handle.state().loads, SWAPS + 1);
    assert_eq!(handle.failures(), 0);
}

/// The same through files: read, checked, tested and swapped in a thousand times. Policies that are no longer in force
/// are gone, so memory does not grow with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_thousand_reloads_of_files_show_nobody_a_mixed_policy_and_leave_none_behind() {
    let dir = folder("read");
    write(dir.path(), "tests.csv", "role:platform-admin, -, policy, update, allow\n");
    let handle = Arc::new(PolicyHandle::open(Some(dir.path())).unwrap());
    let (done, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let askers: Vec<_> = (0..2)
        .map(|_| {
            let (handle, done, asked) =
                (Arc::clone(&handle), Arc::clone(&done), Arc::clone(&asked));
            std::thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let policy = handle.load();
                    let answers = (allows(&policy, Action::Read), allows(&policy, Action::Update));
                    assert!(answers == (true, false) || answers == (false, true), "{answers:?}");
                    assert_eq!(policy.rules_count(), 2);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut former = Vec::new();
    for swap in 0..SWAPS {
        former.push(Arc::downgrade(&handle.load()));
        let action = if swap % 2 == 0 { "update" } else { "read" };
        write(dir.path(), "policy.csv", &rules_that_allow(action));
        assert!(reload_now(&handle).await.unwrap());
    }
    until("the askers had their share", || asked.load(Ordering::Relaxed) >= SWAPS).await;
    done.store(true, Ordering::Relaxed);
    for asker in askers {
        asker.join().unwrap();
    }
    assert!(former.iter().all(|policy| policy.strong_count() == 0));
    let state = handle.state();
    assert_eq!((state.loads, state.refusals, handle.failures()), (SWAPS + 1, 0, 0));
}

#[tokio::test]
async fn a_changed_file_comes_into_force_and_a_broken_one_does_not() {
    let dir = folder("read");
    let handle = PolicyHandle::open(Some(dir.path())).unwrap();
    assert!(!reload_now(&handle).await.unwrap());

    write(dir.path(), "policy.csv", &rules_that_allow("update"));
    assert!(reload_now(&handle).await.unwrap());
    assert!(allows(&handle.load(), Action::Update) && !allows(&handle.load(), Action::Read));

    write(dir.path(), "policy.csv", "p, role:public, *, box/**, update, Allow\n");
    let refused = reload_now(&handle).await.unwrap_err();
    assert!(refused.to_string().contains("policy.csv:1:36"), "{refused}");
    let state = handle.state();
    assert!(!state.is_current());
    assert_eq!((state.problems.len(), state.loads, state.refusals), (1, 2, 1));
    assert!(allows(&handle.load(), Action::Update));

    write(dir.path(), "policy.csv", &rules_that_allow("delete"));
    write(dir.path(), "site.tests.csv", "\"anonymous,role:public\", acme, box/a, delete, deny\n");
    let refused = reload_now(&handle).await.unwrap_err();
    assert!(refused.to_string().contains("site.tests.csv:1: expected deny"), "{refused}");
    assert!(allows(&handle.load(), Action::Update));

    std::fs::remove_dir_all(dir.path()).unwrap();
    reload_now(&handle).await.unwrap_err();
    assert!(allows(&handle.load(), Action::Update));
    assert!(handle.state().problems[0].message.contains("could not be read"));
}

#[tokio::test]
async fn a_problem_is_forgotten_when_the_files_are_put_back() {
    let dir = folder("read");
    let handle = PolicyHandle::open(Some(dir.path())).unwrap();
    write(dir.path(), "site.csv", "p, nobody\n");
    reload_now(&handle).await.unwrap_err();
    std::fs::remove_file(dir.path().join("site.csv")).unwrap();
    assert!(!reload_now(&handle).await.unwrap());
    assert!(handle.state().is_current());
    assert_eq!(handle.state().loads, 1);
}

#[tokio::test]
async fn the_watcher_sees_changes_refusals_and_repairs() {
    let dir = folder("read");
    let handle = Arc::new(PolicyHandle::open(Some(dir.path())).unwrap());
    let watcher = spawn_watcher(&handle);

    write(dir.path(), "policy.csv", &rules_that_allow("update"));
    until("the change is in force", || allows(&handle.load(), Action::Update)).await;

    write(dir.path(), "site.csv", "p, role:public, *, boxes/**, read, allow\n");
    until("the refusal is noted", || !handle.state().is_current()).await;
    assert_eq!(handle.state().problems[0].file, "site.csv");
    assert!(allows(&handle.load(), Action::Update));

    write(dir.path(), "site.csv", "p, role:public, *, box/**, read, allow\n");
    until("the repair is in force", || allows(&handle.load(), Action::Read)).await;
    assert!(handle.state().is_current());

    std::fs::remove_file(dir.path().join("site.csv")).unwrap();
    until("the removal is in force", || !allows(&handle.load(), Action::Read)).await;
    watcher.abort();
}

#[tokio::test]
async fn a_refused_file_is_not_tried_again_until_it_changes() {
    let dir = folder("read");
    let handle = Arc::new(PolicyHandle::open(Some(dir.path())).unwrap());
    let watcher = spawn_watcher(&handle);
    write(dir.path(), "site.csv", "p, nobody\n");
    until("the refusal is noted", || handle.state().refusals == 1).await;
    // a later change is seen, so the watcher looked on, and it added one refusal only
    write(dir.path(), "site.csv", "p, nobody, again\n");
    until("the second refusal is noted", || handle.state().refusals == 2).await;
    std::fs::remove_file(dir.path().join("site.csv")).unwrap();
    until("the files are well again", || handle.state().is_current()).await;
    assert_eq!(handle.state().refusals, 2);
    watcher.abort();
}

#[tokio::test]
async fn without_a_folder_or_an_interval_there_is_nothing_to_watch() {
    let dir = folder("read");
    watch(Arc::new(PolicyHandle::open(Some(dir.path())).unwrap()), Duration::ZERO, async || ())
        .await;
    let handle = Arc::new(PolicyHandle::open(None).unwrap());
    watch(Arc::clone(&handle), Duration::from_millis(1), async || ()).await;
    assert!(!reload_now(&handle).await.unwrap());
    assert_eq!(handle.state().source, None);
}
