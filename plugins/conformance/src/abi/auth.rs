//! The table of an auth provider.

use std::ffi::c_void;

use boxvault_plugin_sdk::abi;

use super::{Case, Dice, Entry, cases, desk::Handle, function, lend, odd_texts};
use crate::case::{Finding, Verdict, ensure};

/// A function of the table that takes one text.
type TextFunction = unsafe extern "C" fn(*mut c_void, abi::Str, abi::Completion);

pub(super) const CASES: &[Entry] = cases![
    every_function_is_there,
    nonsense_signs_nobody_in,
    nonsense_is_answered_everywhere,
    many_calls_at_once_are_each_answered_once,
    answers_that_nobody_waits_for_are_released,
];

fn functions(table: &abi::AuthTable) -> [(&'static str, Option<TextFunction>); 6] {
    [
        ("start_redirect", table.start_redirect),
        ("finish_redirect", table.finish_redirect),
        ("introspect_token", table.introspect_token),
        ("refresh", table.refresh),
        ("logout", table.logout),
        ("groups", table.groups),
    ]
}

fn every_function_is_there(case: &Case<'_>) -> Verdict {
    let table = case.table::<abi::AuthTable>()?;
    for (name, found) in functions(&table) {
        function(found, name)?;
    }
    function(table.facets, "facets")?;
    function(table.health, "health")?;
    function(table.authenticate_password, "authenticate_password").map(drop)
}

fn sign_in(
    case: &Case<'_>,
    instance: &Handle,
    username: &[u8],
    password: &[u8],
) -> Result<super::desk::Answer, Finding> {
    let table = case.table::<abi::AuthTable>()?;
    let authenticate = function(table.authenticate_password, "authenticate_password")?;
    // SAFETY: a function of the table on one of its instances; both texts are lent.
    case.desk.ask(|done| unsafe {
        authenticate(instance.pointer(), lend(username), lend(password), done);
    })
}

fn nonsense_signs_nobody_in(case: &Case<'_>) -> Verdict {
    let instance = case.instance()?;
    for text in odd_texts() {
        for (username, password) in [(&text[..], &b"x"[..]), (b"x", &text), (&text, &text)] {
            let answer = sign_in(case, &instance, username, password)?;
            ensure!(answer.is_error(), "nonsense signed somebody in");
        }
    }
    Ok(())
}

fn nonsense_is_answered_everywhere(case: &Case<'_>) -> Verdict {
    let instance = case.instance()?;
    let table = case.table::<abi::AuthTable>()?;
    for (name, found) in functions(&table) {
        let call = function(found, name)?;
        for text in odd_texts() {
            // SAFETY: a function of the table on one of its instances; the text is lent.
            let answer =
                case.desk.ask(|done| unsafe { call(instance.pointer(), lend(&text), done) })?;
            let known = answer.is_error() || name == "logout" || name == "groups";
            ensure!(known, "{name} found somebody of that name");
        }
    }
    Ok(())
}

fn many_calls_at_once_are_each_answered_once(case: &Case<'_>) -> Verdict {
    let instance = case.instance()?;
    let table = case.table::<abi::AuthTable>()?;
    let refresh = function(table.refresh, "refresh")?;
    let health = function(table.health, "health")?;
    let calls: Vec<u64> = (0..64)
        .map(|index| {
            let subject = format!("nobody-{index}");
            case.desk.start(|done| match index % 2 {
                // SAFETY: functions of the table on one of its instances; the text is lent.
                0 => unsafe { refresh(instance.pointer(), lend(subject.as_bytes()), done) },
                // SAFETY: as above.
                _ => unsafe { health(instance.pointer(), done) },
            })
        })
        .collect();
    for call in calls {
        case.desk.wait(call)?;
    }
    Ok(())
}

fn answers_that_nobody_waits_for_are_released(case: &Case<'_>) -> Verdict {
    let instance = case.instance()?;
    let table = case.table::<abi::AuthTable>()?;
    let mut dice = Dice(7);
    for _ in 0..64 {
        let functions = functions(&table);
        let index = usize::try_from(dice.roll(functions.len() as u64)).unwrap_or(0);
        let Some((name, found)) = functions.get(index) else { continue };
        let call = function(*found, name)?;
        // SAFETY: a function of the table on one of its instances; the text is lent.
        case.desk.start_unwanted(|done| unsafe { call(instance.pointer(), lend(b"{}"), done) });
    }
    case.desk.wait_for_all()
}
