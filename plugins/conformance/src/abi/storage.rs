//! The table of a storage backend.
#![expect(
    clippy::disallowed_methods,
    reason = "this suite blocks; whoever runs it gives it a thread"
)]

use std::{
    ffi::c_void,
    ptr,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use boxvault_plugin_sdk::{
    Bytes, abi,
    crossing::{self, size_of_table},
};

use super::{
    Case, Dice, Entry, cases,
    desk::{Answer, Handle},
    function, lend, odd_texts,
};
use crate::{
    bytes::seeded,
    case::{Finding, Verdict, ensure},
};

pub(super) const CASES: &[Entry] = cases![
    every_function_is_there,
    keys_that_are_none_are_errors,
    numbers_at_their_ends_are_taken,
    write_options_of_other_versions_are_read_by_their_size,
    a_chunk_is_released_once_and_an_empty_one_is_none,
    a_released_writer_leaves_nothing_and_a_released_reader_ends,
    handles_are_used_and_released_on_other_threads,
    answers_that_nobody_waits_for_are_released,
    extensions_answer_nonsense_as_well,
    a_thousand_random_calls_are_each_answered_once,
];

/// A key that nobody else uses.
fn key(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("conformance/abi-{now}-{}-{count}/{name}", std::process::id())
}

/// The functions of the table, which are all there, and an instance.
struct Store<'a> {
    case: &'a Case<'a>,
    table: abi::StorageTable,
    instance: Handle,
}

const fn options(size: u32, size_hint: u64) -> abi::WriteOptions {
    abi::WriteOptions { size, reserved: 0, size_hint }
}

const OPTIONS_SIZE: u32 = size_of_table::<abi::WriteOptions>();

impl<'a> Store<'a> {
    fn open(case: &'a Case<'a>) -> Result<Self, Finding> {
        Ok(Self { case, table: case.table()?, instance: case.instance()? })
    }

    fn stat(&self, key: &[u8]) -> Result<Answer, Finding> {
        let stat = function(self.table.stat, "stat")?;
        let instance = self.instance.pointer();
        // SAFETY: a function of the table on one of its instances; the key is lent.
        self.case.desk.ask(|done| unsafe { stat(instance, lend(key), done) })
    }

    fn remove(&self, key: &[u8]) -> Result<Answer, Finding> {
        let remove = function(self.table.remove, "remove")?;
        let instance = self.instance.pointer();
        // SAFETY: as in `stat`.
        self.case.desk.ask(|done| unsafe { remove(instance, lend(key), done) })
    }

    fn read_open(&self, key: &[u8], offset: u64, length: u64) -> Result<Answer, Finding> {
        let open = function(self.table.read_open, "read_open")?;
        let instance = self.instance.pointer();
        // SAFETY: as in `stat`.
        self.case.desk.ask(|done| unsafe { open(instance, lend(key), offset, length, done) })
    }

    fn read_next(&self, reader: &Handle) -> Result<Answer, Finding> {
        let next = function(self.table.read_next, "read_next")?;
        // SAFETY: a function of the table on one of its readers; no other call on it is open.
        self.case.desk.ask(|done| unsafe { next(reader.pointer(), done) })
    }

    fn write_open(&self, key: &[u8], options: *const abi::WriteOptions) -> Result<Answer, Finding> {
        let open = function(self.table.write_open, "write_open")?;
        let instance = self.instance.pointer();
        // SAFETY: as in `stat`; the options live until the call returns.
        self.case.desk.ask(|done| unsafe { open(instance, lend(key), options, done) })
    }

    fn writer(&self, key: &str) -> Result<Handle, Finding> {
        self.write_open(key.as_bytes(), &raw const OPTIONS)?.into_handle()
    }

    fn write(&self, writer: &Handle, chunk: abi::OwnedBytes) -> Result<Answer, Finding> {
        let write = function(self.table.write, "write")?;
        // SAFETY: a function of the table on one of its writers; the chunk is given away.
        self.case.desk.ask(|done| unsafe { write(writer.pointer(), chunk, done) })
    }

    fn end(&self, writer: &Handle, how: Ending) -> Result<Answer, Finding> {
        let end = match how {
            Ending::Finish => function(self.table.write_finish, "write_finish")?,
            Ending::Abort => function(self.table.write_abort, "write_abort")?,
        };
        // SAFETY: a function of the table on one of its writers; no other call on it is open.
        self.case.desk.ask(|done| unsafe { end(writer.pointer(), done) })
    }

    fn list(&self, prefix: &[u8], after: &[u8], limit: u32) -> Result<Answer, Finding> {
        let list = function(self.table.list, "list")?;
        let instance = self.instance.pointer();
        // SAFETY: as in `stat`.
        self.case.desk.ask(|done| unsafe { list(instance, lend(prefix), lend(after), limit, done) })
    }

    fn put(&self, key: &str, bytes: Bytes) -> Verdict {
        let length = bytes.len() as u64;
        let writer = self.writer(key)?;
        let written = self.write(&writer, crossing::own(bytes))?;
        ensure!(!written.is_error(), "a write failed: {}", text(&written));
        let finished = self.end(&writer, Ending::Finish)?;
        ensure!(!finished.is_error(), "finish failed: {}", text(&finished));
        ensure!(finished.value == length, "finish said {} bytes", finished.value);
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Ending {
    Finish,
    Abort,
}

static OPTIONS: abi::WriteOptions = options(OPTIONS_SIZE, abi::SIZE_UNKNOWN);

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.data).into_owned()
}

fn every_function_is_there(case: &Case<'_>) -> Verdict {
    let table = case.table::<abi::StorageTable>()?;
    for (name, is_there) in [
        ("capabilities", table.capabilities.is_some()),
        ("health", table.health.is_some()),
        ("stat", table.stat.is_some()),
        ("read_open", table.read_open.is_some()),
        ("read_next", table.read_next.is_some()),
        ("write_open", table.write_open.is_some()),
        ("write", table.write.is_some()),
        ("write_finish", table.write_finish.is_some()),
        ("write_abort", table.write_abort.is_some()),
        ("remove", table.remove.is_some()),
        ("list", table.list.is_some()),
    ] {
        ensure!(is_there, "the table has no {name}");
    }
    Ok(())
}

fn keys_that_are_none_are_errors(case: &Case<'_>) -> Verdict {
    let store = Store::open(case)?;
    let mut keys = odd_texts();
    keys.retain(|key| {
        !matches!(&**key, b"%n%s%x" | b"{\"a\":") && key != "\u{202e}\u{feff}".as_bytes()
    });
    keys.extend([&b"/a"[..], b"a/", b"a//b", b"a\\b", b"./a"].map(<[u8]>::to_vec));
    for key in keys {
        let start = String::from_utf8_lossy(key.get(..20).unwrap_or(&key)).into_owned();
        ensure!(store.stat(&key)?.is_error(), "stat accepts the key {start:?}");
        ensure!(store.remove(&key)?.is_error(), "remove accepts the key {start:?}");
        let read = store.read_open(&key, 0, abi::LENGTH_TO_END)?;
        ensure!(read.is_error(), "read_open accepts the key {start:?}");
        let write = store.write_open(&key, &raw const OPTIONS)?;
        ensure!(write.is_error(), "write_open accepts the key {start:?}");
    }
    Ok(())
}

fn numbers_at_their_ends_are_taken(case: &Case<'_>) -> Verdict {
    let store = Store::open(case)?;
    let key = key("numbers");
    store.put(&key, Bytes::from_static(b"0123456789"))?;
    for (offset, length) in [
        (u64::MAX, abi::LENGTH_TO_END),
        (u64::MAX, 1),
        (u64::MAX - 1, u64::MAX - 1),
        (10, abi::LENGTH_TO_END),
        (0, 0),
        (1 << 63, 1 << 63),
        (9, u64::MAX - 1),
    ] {
        let reader = store.read_open(key.as_bytes(), offset, length)?.into_handle()?;
        let mut found = Vec::new();
        loop {
            let answer = store.read_next(&reader)?;
            ensure!(!answer.is_error(), "{offset} and {length}: {}", text(&answer));
            if answer.status == abi::STATUS_END {
                break;
            }
            ensure!(!answer.data.is_empty(), "a chunk is empty");
            found.extend_from_slice(&answer.data);
            ensure!(found.len() <= 10, "more came than was written");
        }
        // without ranges a plugin may give the whole object, and the host cuts
        let expected: &[u8] = if offset == 9 && length > 0 { b"9" } else { b"" };
        let whole = &found[..] == b"0123456789";
        ensure!(&found[..] == expected || whole, "{offset} and {length} read {found:?}");
    }
    for limit in [0, 1, u32::MAX] {
        let answer = store.list(key.as_bytes(), b"", limit)?;
        let fits = answer.is_error() || answer.value <= u64::from(limit);
        ensure!(fits, "a list of at most {limit} has {} rows", answer.value);
    }
    ensure!(!store.remove(key.as_bytes())?.is_error(), "the object could not be removed");
    Ok(())
}

/// The options of a later host, with more behind them.
#[repr(C)]
struct LaterOptions {
    now: abi::WriteOptions,
    more: [u64; 6],
}

fn write_options_of_other_versions_are_read_by_their_size(case: &Case<'_>) -> Verdict {
    let store = Store::open(case)?;
    let hint = options(OPTIONS_SIZE + 48, abi::SIZE_UNKNOWN);
    let later = LaterOptions { now: hint, more: [u64::MAX; 6] };
    for (name, options) in [
        ("later", (&raw const later).cast()),
        ("hint of 0", &raw const ZERO),
        ("vast", &raw const VAST),
    ] {
        let key = key(name);
        let writer = store.write_open(key.as_bytes(), options)?.into_handle()?;
        let answer = store.end(&writer, Ending::Abort)?;
        ensure!(!answer.is_error(), "{name}: {}", text(&answer));
        ensure!(store.stat(key.as_bytes())?.is_error(), "{name}: an aborted object is there");
    }
    Ok(())
}

static ZERO: abi::WriteOptions = options(OPTIONS_SIZE, 0);
/// More than any store takes; a hint is only a hint, and an abort follows.
static VAST: abi::WriteOptions = options(OPTIONS_SIZE, 1 << 40);

fn a_chunk_is_released_once_and_an_empty_one_is_none(case: &Case<'_>) -> Verdict {
    unsafe extern "C" fn count(owner: *mut c_void) {
        // SAFETY: the owner is the leaked counter below.
        if let Some(count) = unsafe { owner.cast::<AtomicU64>().as_ref() } {
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
    let store = Store::open(case)?;
    let released: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
    let bytes: &'static [u8] = b"counted bytes";
    let chunk = || abi::OwnedBytes {
        data: bytes.as_ptr(),
        len: bytes.len() as u64,
        owner: ptr::from_ref(released).cast_mut().cast(),
        release: Some(count),
    };
    let key = key("released");
    let writer = store.writer(&key)?;
    for _ in 0..8 {
        let answer = store.write(&writer, chunk())?;
        ensure!(!answer.is_error(), "a write failed: {}", text(&answer));
        let empty = store.write(&writer, crossing::nothing())?;
        ensure!(!empty.is_error(), "an empty chunk failed: {}", text(&empty));
    }
    let finished = store.end(&writer, Ending::Finish)?;
    ensure!(finished.value == 8 * bytes.len() as u64, "finish said {} bytes", finished.value);
    drop(writer);
    // and those of a writer that is given up
    let given_up = store.writer(&(key.clone() + "-aborted"))?;
    store.write(&given_up, chunk())?;
    store.end(&given_up, Ending::Abort)?;
    drop(given_up);
    // a store may keep what it was given for as long as it keeps the object
    store.remove(key.as_bytes())?;
    soon("nine chunks to be released", || Ok(released.load(Ordering::SeqCst) >= 9))?;
    thread::sleep(Duration::from_millis(50)); // a second release would come about now
    let times = released.load(Ordering::SeqCst);
    ensure!(times == 9, "nine chunks were released {times} times");
    Ok(())
}

/// Asks until the answer is yes.
fn soon(what: &str, ask: impl Fn() -> Result<bool, Finding>) -> Verdict {
    let end = Instant::now() + Duration::from_secs(20);
    while !ask()? {
        ensure!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn a_released_writer_leaves_nothing_and_a_released_reader_ends(case: &Case<'_>) -> Verdict {
    let store = Store::open(case)?;
    let (there, unfinished) = (key("there"), key("unfinished"));
    store.put(&there, seeded(1, 100_000))?;
    for _ in 0..10 {
        let writer = store.writer(&unfinished)?;
        store.write(&writer, crossing::own(seeded(2, 50_000)))?;
        let reader = store.read_open(there.as_bytes(), 0, abi::LENGTH_TO_END)?.into_handle()?;
        store.read_next(&reader)?;
    }
    let stat = store.stat(unfinished.as_bytes())?;
    ensure!(stat.status == abi::ERROR_NOT_FOUND, "an unfinished object is there");
    store.remove(there.as_bytes()).map(drop)
}

fn handles_are_used_and_released_on_other_threads(case: &Case<'_>) -> Verdict {
    let store = Store::open(case)?;
    let key = key("threads");
    store.put(&key, seeded(3, 300_000))?;
    let reader = store.read_open(key.as_bytes(), 0, abi::LENGTH_TO_END)?.into_handle()?;
    let next = function(store.table.read_next, "read_next")?;
    let desk = case.desk;
    let mut reader = Some(reader);
    for _ in 0..4 {
        let Some(one) = reader.take() else { break };
        let moved = thread::spawn(move || {
            // SAFETY: a function of the table on one of its readers; no other call on it is open.
            let answer = desk.ask(|done| unsafe { next(one.pointer(), done) });
            (one, answer)
        });
        let Ok((one, answer)) = moved.join() else {
            return Err(Finding::Failed("a thread panicked".to_owned()));
        };
        let ended = answer?.status == abi::STATUS_END;
        reader = (!ended).then_some(one);
    }
    // the last release is on another thread too
    let released = thread::spawn(move || drop(reader)).join();
    ensure!(released.is_ok(), "a release panicked");
    store.remove(key.as_bytes()).map(drop)
}

fn answers_that_nobody_waits_for_are_released(case: &Case<'_>) -> Verdict {
    let store = Store::open(case)?;
    let key = key("unwanted");
    store.put(&key, Bytes::from_static(b"x"))?;
    let instance = store.instance.pointer();
    let (open, write_open) = (
        function(store.table.read_open, "read_open")?,
        function(store.table.write_open, "write_open")?,
    );
    let stat = function(store.table.stat, "stat")?;
    for _ in 0..40 {
        let key_text = lend(key.as_bytes());
        // SAFETY: functions of the table on one of its instances; the key is lent.
        case.desk.start_unwanted(|done| unsafe { open(instance, key_text, 0, 1, done) });
        // SAFETY: as above.
        case.desk.start_unwanted(|done| unsafe { stat(instance, key_text, done) });
        let other = format!("{key}-w");
        // SAFETY: as above; the options are static.
        case.desk.start_unwanted(|done| unsafe {
            write_open(instance, lend(other.as_bytes()), &raw const OPTIONS, done);
        });
    }
    case.desk.wait_for_all()?;
    ensure!(!store.stat(key.as_bytes())?.is_error(), "the store does not work any more");
    store.remove(key.as_bytes()).map(drop)
}

fn extensions_answer_nonsense_as_well(case: &Case<'_>) -> Verdict {
    let store = Store::open(case)?;
    let (instance, desk) = (store.instance.pointer(), case.desk);
    let local_path = case.extension::<abi::LocalPathTable>(abi::EXTENSION_LOCAL_PATH);
    let presign = case.extension::<abi::PresignTable>(abi::EXTENSION_PRESIGN);
    let unfinished = case.extension::<abi::UnfinishedTable>(abi::EXTENSION_UNFINISHED);
    let options = abi::PresignOptions {
        size: size_of_table::<abi::PresignOptions>(),
        reserved: 0,
        expires_in_s: u64::MAX,
        content_disposition: lend(b"\r\nx: \xff"),
        content_type: lend(b"\xff"),
    };
    for text in odd_texts() {
        let lent = lend(&text);
        if let Some(find) = local_path.and_then(|table| table.local_path) {
            // SAFETY: an extension's function on an instance of its plugin; the text is lent.
            desk.ask(|done| unsafe { find(instance, lent, done) })?;
        }
        if let Some(sign) = presign.and_then(|table| table.presign_read) {
            // SAFETY: as above; the options live until the call returns.
            desk.ask(|done| unsafe { sign(instance, lent, &raw const options, done) })?;
        }
        if let Some(list) = unfinished.and_then(|table| table.list_unfinished) {
            // SAFETY: as above.
            desk.ask(|done| unsafe { list(instance, lent, lent, u32::MAX, done) })?;
        }
        if let Some(abort) = unfinished.and_then(|table| table.abort_unfinished) {
            // SAFETY: as above.
            desk.ask(|done| unsafe { abort(instance, lent, done) })?;
        }
    }
    Ok(())
}

fn a_thousand_random_calls_are_each_answered_once(case: &Case<'_>) -> Verdict {
    let store = Store::open(case)?;
    let mut dice = Dice(0x0BAD_5EED);
    let base = key("random");
    let texts = odd_texts();
    let mut streams: Vec<(bool, Handle)> = Vec::new();
    for _ in 0..1000 {
        let name = match dice.roll(4) {
            0 => {
                let index = usize::try_from(dice.roll(texts.len() as u64)).unwrap_or(0);
                texts.get(index).cloned().unwrap_or_default()
            }
            number => format!("{base}/{number}").into_bytes(),
        };
        let number = match dice.roll(4) {
            3 => u64::MAX,
            small => small * 4,
        };
        match dice.roll(9) {
            0 => drop(store.stat(&name)?),
            1 => drop(store.list(&name, b"", u32::try_from(number).unwrap_or(u32::MAX))?),
            2 => drop(store.remove(&name)?),
            3 => streams.extend(store.read_open(&name, number, number)?.handle.map(|h| (true, h))),
            4 => {
                let opened = store.write_open(&name, &raw const OPTIONS)?;
                streams.extend(opened.handle.map(|handle| (false, handle)));
            }
            5 | 6 => {
                let chunk = || crossing::own(Bytes::from_static(b"random"));
                let is_spent = match streams.last() {
                    Some((true, reader)) => store.read_next(reader)?.status != abi::STATUS_OK,
                    Some((false, writer)) => store.write(writer, chunk())?.is_error(),
                    None => false,
                };
                if is_spent {
                    drop(streams.pop());
                }
            }
            7 => match streams.pop() {
                Some((false, writer)) if dice.roll(2) == 0 => {
                    drop(store.end(&writer, Ending::Finish)?);
                }
                Some((false, writer)) => drop(store.end(&writer, Ending::Abort)?),
                _ => {}
            },
            _ => drop(streams.pop()),
        }
    }
    drop(streams);
    for number in 1..4 {
        store.remove(format!("{base}/{number}").as_bytes())?;
    }
    Ok(())
}
