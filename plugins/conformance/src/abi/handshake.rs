//! The handshake, and what is done before there is an instance.

use std::ptr;

use boxvault_plugin_sdk::{
    abi,
    crossing::{self, TARGET, size_of_table},
};

use super::{
    Case, Entry, cases,
    desk::{Answer, HOST_SIZE, Handle, host},
    function, lend,
};
use crate::case::{Finding, Verdict, ensure};

/// `validate` and `create` of both tables.
type Configure = unsafe extern "C" fn(*const abi::Host, abi::Str, abi::Completion);

pub(super) const CASES: &[Entry] = cases![
    the_entry_returns_the_same_handshake_each_time,
    the_handshake_says_what_it_must,
    an_unknown_extension_is_null,
    a_good_configuration_is_accepted_twice,
    a_configuration_that_is_none_is_an_error,
    a_longer_host_table_is_read_as_far_as_it_is_known,
    instances_come_and_go_in_any_order,
];

fn the_entry_returns_the_same_handshake_each_time(case: &Case<'_>) -> Verdict {
    for _ in 0..3 {
        let again = case.entry.handshake();
        let same = again.is_some_and(|again| ptr::eq(again, case.handshake));
        ensure!(same, "another handshake came at another call");
    }
    Ok(())
}

fn the_handshake_says_what_it_must(case: &Case<'_>) -> Verdict {
    let handshake = case.handshake;
    ensure!(handshake.magic == abi::MAGIC, "the magic is {:#x}", handshake.magic);
    ensure!(handshake.abi_major == abi::ABI_MAJOR, "the major version is {}", handshake.abi_major);
    let smallest = size_of_table::<abi::Handshake>();
    ensure!(handshake.size >= smallest, "the handshake has {} bytes", handshake.size);
    ensure!(handshake.reserved == 0, "what is reserved is not 0");
    // SAFETY: texts of a handshake are static.
    let text = |text: abi::Str| unsafe { crossing::borrow_text(text) };
    let (name, version) = (text(handshake.name)?, text(handshake.version)?);
    let license = text(handshake.license)?;
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    ensure!(!name.is_empty() && name.chars().all(fine), "the name is {name:?}");
    ensure!(!version.is_empty(), "there is no version");
    ensure!(!license.is_empty(), "there is no license");
    let target = text(handshake.target)?;
    ensure!(target == TARGET, "the target is {target:?}, and this is {TARGET:?}");
    let schema: Result<serde_json::Value, _> = serde_json::from_str(text(handshake.config_schema)?);
    ensure!(schema.is_ok_and(|it| it.is_object()), "the schema is no JSON object");
    Ok(())
}

fn an_unknown_extension_is_null(case: &Case<'_>) -> Verdict {
    let Some(extension) = case.handshake.extension else { return Ok(()) };
    for name in [&b""[..], b"boxvault.nothing.1", b"boxvault.storage.local_path.999", b"\xff\0"] {
        // SAFETY: the function looks up a name, which is lent.
        let found = unsafe { extension(lend(name)) };
        ensure!(found.is_null(), "{} is known", String::from_utf8_lossy(name));
    }
    Ok(())
}

fn a_good_configuration_is_accepted_twice(case: &Case<'_>) -> Verdict {
    let (validate, _) = case.configure()?;
    for _ in 0..2 {
        let answer = case.call(validate, host(HOST_SIZE), case.config.as_bytes())?;
        let text = String::from_utf8_lossy(&answer.data);
        ensure!(!answer.is_error(), "a good configuration is refused: {text}");
        ensure!(answer.handle.is_none(), "a check made an instance");
    }
    Ok(())
}

fn a_configuration_that_is_none_is_an_error(case: &Case<'_>) -> Verdict {
    let (validate, create) = case.configure()?;
    let deep = "[".repeat(100_000);
    let long = format!("{{\"{}\":1}}", "k".repeat(1 << 20));
    for config in [
        &b""[..],
        b"{",
        b"null",
        b"[]",
        b"\"text\"",
        b"\xff\xfe",
        b"{\"\xff\":1}",
        b"\0",
        deep.as_bytes(),
        long.as_bytes(),
    ] {
        for function in [validate, create] {
            let answer = case.call(function, host(HOST_SIZE), config)?;
            let start = String::from_utf8_lossy(config.get(..20).unwrap_or(config)).into_owned();
            ensure!(answer.is_error(), "{start:?} was accepted as a configuration");
        }
    }
    Ok(())
}

fn a_longer_host_table_is_read_as_far_as_it_is_known(case: &Case<'_>) -> Verdict {
    let (_, create) = case.configure()?;
    let answer = case.call(create, host(HOST_SIZE + 64), case.config.as_bytes())?;
    answer.into_handle().map(drop)
}

fn instances_come_and_go_in_any_order(case: &Case<'_>) -> Verdict {
    let mut instances = Vec::new();
    for _ in 0..6 {
        instances.push(case.instance()?);
    }
    while !instances.is_empty() {
        drop(instances.swap_remove(instances.len() / 2));
    }
    Ok(())
}

impl Case<'_> {
    /// `validate` and `create`.
    fn configure(&self) -> Result<(Configure, Configure), Finding> {
        let (validate, create) = match self.handshake.kind {
            abi::KIND_STORAGE => {
                let table = self.table::<abi::StorageTable>()?;
                (table.validate, table.create)
            }
            abi::KIND_AUTH => {
                let table = self.table::<abi::AuthTable>()?;
                (table.validate, table.create)
            }
            kind => return Err(Finding::Failed(format!("the kind is {kind}"))),
        };
        Ok((function(validate, "validate")?, function(create, "create")?))
    }

    fn call(
        &self,
        function: Configure,
        host: *const abi::Host,
        config: &[u8],
    ) -> Result<Answer, Finding> {
        // SAFETY: a function of the table; the host table lives for ever, the text is lent.
        self.desk.ask(|done| unsafe { function(host, lend(config), done) })
    }

    /// A new instance of the configuration that works.
    pub(super) fn instance(&self) -> Result<Handle, Finding> {
        let (_, create) = self.configure()?;
        self.call(create, host(HOST_SIZE), self.config.as_bytes())?.into_handle()
    }
}
