//! The C table itself: what a careless, a future and an old host do to it.
//!
//! The other suites speak through safe traits, which never pass nonsense. Here the functions are called as the
//! header allows, with everything that it allows: text that is no UTF-8, numbers at their ends, structs of other
//! versions, answers that nobody waits for. Every call must be answered exactly once, with an error and not with a
//! crash. A plugin that does crash takes this process with it, so whoever judges strangers runs this in a process of
//! its own; [`Listener`] is told in time which case it was.
#![expect(unsafe_code, reason = "calls the functions of the C table as a host does")]

mod auth;
mod desk;
mod handshake;
mod storage;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
};

use boxvault_plugin_sdk::{PluginError, abi, crossing::LibraryEntry};

use self::desk::Desk;
use crate::{
    case::{Finding, Verdict, ensure},
    report::{CaseReport, Outcome, Report},
};

/// Hears of each case: before it runs, and how it ended.
pub trait Listener {
    /// A case begins.
    fn begins(&mut self, name: &str);
    /// A case has ended.
    fn ended(&mut self, case: &CaseReport);
}

/// Hears nothing.
impl Listener for () {
    fn begins(&mut self, _: &str) {}
    fn ended(&mut self, _: &CaseReport) {}
}

/// What a case works with.
pub(crate) struct Case<'a> {
    handshake: &'static abi::Handshake,
    entry: LibraryEntry,
    /// A configuration that works, as JSON.
    config: &'a str,
    desk: &'static Desk,
}

type Entry = (&'static str, fn(&Case<'_>) -> Verdict);

/// Lists cases: each function's name is the promise.
macro_rules! cases {
    ($($function:ident),+ $(,)?) => {
        &[$((stringify!($function), $function)),+]
    };
}
use cases;

/// Runs the suite on the library of a plugin of this contract's version. `config` is a configuration that works, as
/// JSON. Blocks for as long as it takes.
pub fn run(entry: LibraryEntry, config: &str, listener: &mut dyn Listener) -> Report {
    let mut cases = Vec::new();
    let Some(handshake) = entry.handshake() else {
        let outcome = Outcome::Failed { reason: "the entry returns NULL".to_owned() };
        let case = CaseReport { name: "the_entry_returns_a_handshake".into(), outcome };
        return Report { suite: "abi".into(), cases: vec![case] };
    };
    let case = Case { handshake, entry, config, desk: Desk::leak() };
    let of_kind = match handshake.kind {
        abi::KIND_STORAGE => storage::CASES,
        abi::KIND_AUTH => auth::CASES,
        _ => &[],
    };
    for (name, run) in handshake::CASES.iter().chain(of_kind).chain(LAST) {
        listener.begins(name);
        let outcome = match catch_unwind(AssertUnwindSafe(|| run(&case))) {
            Ok(Ok(())) => Outcome::Passed,
            Ok(Err(Finding::Failed(reason))) => Outcome::Failed { reason },
            Ok(Err(Finding::Skipped(reason))) => Outcome::Skipped { reason },
            Err(payload) => {
                Outcome::Failed { reason: PluginError::from_panic(&*payload).to_string() }
            }
        };
        let report = CaseReport { name: (*name).into(), outcome };
        listener.ended(&report);
        cases.push(report);
    }
    Report { suite: "abi".into(), cases }
}

/// What can only be said when all the others have run.
const LAST: &[Entry] = cases![no_call_was_answered_twice];

fn no_call_was_answered_twice(case: &Case<'_>) -> Verdict {
    let twice = case.desk.answered_twice();
    ensure!(twice == 0, "{twice} answers came to calls that had their answer");
    Ok(())
}

impl Case<'_> {
    /// The plugin's own table, copied.
    fn table<T: abi::Zeroable>(&self) -> Result<T, Finding> {
        // SAFETY: the kind says which table it is, and every table begins with its size.
        let table = unsafe { copied(self.handshake.table.cast::<T>()) };
        table.ok_or_else(|| Finding::Failed("the handshake has no table".to_owned()))
    }
}

impl Case<'_> {
    /// An optional table of the plugin, copied.
    fn extension<T: abi::Zeroable>(&self, name: &str) -> Option<T> {
        let extension = self.handshake.extension?;
        // SAFETY: the function looks up a name, which is lent.
        let table = unsafe { extension(lend(name.as_bytes())) };
        // SAFETY: the name says which table it is, and every table begins with its size.
        unsafe { copied(table.cast::<T>()) }
    }
}

/// A static struct that begins with its size, in some version; `None` for NULL.
///
/// # Safety
/// The pointer is NULL, or points to such a struct.
unsafe fn copied<T: abi::Zeroable>(table: *const T) -> Option<T> {
    if table.is_null() {
        return None;
    }
    // SAFETY: the caller says that it begins with its size.
    let size = unsafe { table.cast::<u32>().read() };
    // SAFETY: the size says how much is there.
    Some(unsafe { boxvault_plugin_sdk::crossing::read_sized(table, size) })
}

/// Lends bytes, UTF-8 or not.
fn lend(bytes: &[u8]) -> abi::Str {
    let data = if bytes.is_empty() { ptr::null() } else { bytes.as_ptr() };
    abi::Str { data, len: bytes.len() as u64 }
}

/// A function that must be there.
fn function<F>(function: Option<F>, name: &str) -> Result<F, Finding> {
    function.ok_or_else(|| Finding::Failed(format!("the table has no {name}")))
}

/// Texts that no plugin expects: none, long, no UTF-8, with what means something elsewhere.
fn odd_texts() -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = [
        &b""[..],
        b"\0",
        b"a\0b",
        b"\xff\xfe",
        b"\xc3",
        b"\xed\xa0\x80",
        b"..",
        b"a/../b",
        b"%n%s%x",
        b"{\"a\":",
        b"\r\n",
        "\u{202e}\u{feff}".as_bytes(),
    ]
    .map(<[u8]>::to_vec)
    .into();
    texts.push(vec![b'x'; 1 << 20]);
    texts.push(vec![0xff; 4096]);
    texts
}

/// Numbers that look random and are always the same (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % below.max(1)
    }
}
