//! The functions of the storage table for objects whose parts others send.

use std::{ffi::c_void, time::Duration};

use super::{Done, Instance, answer_meta, ask, read_write_options};
use crate::{
    abi, crossing,
    error::Result,
    storage::{DirectWrite, PartOptions},
};

pub(super) unsafe extern "C" fn begin(
    handle: *mut c_void,
    key: abi::Str,
    options: *const abi::WriteOptions,
    completion: abi::Completion,
) {
    // SAFETY: the host lends the options for the call.
    let options = unsafe { read_write_options(options) };
    let question = move |instance: Instance, key: String| async move {
        instance.begin_direct(&key, options).await
    };
    let answer = |done: Done, begun: DirectWrite| {
        done.send(&abi::Outcome {
            value: begun.part_bytes,
            data: crossing::own(begun.token.into()),
            ..crossing::outcome(abi::STATUS_OK)
        });
    };
    // SAFETY: the host passes an instance handle, and lends the key for the call.
    unsafe { ask(handle, key, completion, question, answer) };
}

pub(super) unsafe extern "C" fn part(
    handle: *mut c_void,
    key: abi::Str,
    token: abi::Str,
    options: *const abi::PartOptions,
    completion: abi::Completion,
) {
    // SAFETY: the host lends the token for the call.
    let token = unsafe { crossing::borrow_text(token) }.map(ToOwned::to_owned);
    // SAFETY: the host lends the options for the call.
    let options = unsafe { read_part_options(options) };
    let question = move |instance: Instance, key: String| async move {
        instance.presign_part(&key, &token?, options?).await
    };
    let answer = |done: Done, url: String| done.data(url.into());
    // SAFETY: the host passes an instance handle, and lends the key for the call.
    unsafe { ask(handle, key, completion, question, answer) };
}

pub(super) unsafe extern "C" fn finish(
    handle: *mut c_void,
    key: abi::Str,
    token: abi::Str,
    completion: abi::Completion,
) {
    // SAFETY: the host lends the token for the call.
    let token = unsafe { crossing::borrow_text(token) }.map(ToOwned::to_owned);
    let question = move |instance: Instance, key: String| async move {
        instance.finish_direct(&key, &token?).await
    };
    // SAFETY: the host passes an instance handle, and lends the key for the call.
    unsafe { ask(handle, key, completion, question, answer_meta) };
}

/// # Safety
/// Null, or options of some version.
unsafe fn read_part_options(options: *const abi::PartOptions) -> Result<PartOptions> {
    if options.is_null() {
        return Err(crossing::violation("the host passed no options"));
    }
    // SAFETY: not null; the first field is the size.
    let size = unsafe { options.cast::<u32>().read() };
    // SAFETY: the host says that so many bytes are there.
    let options = unsafe { crossing::read_sized(options, size) };
    let length = (options.length != abi::SIZE_UNKNOWN).then_some(options.length);
    Ok(PartOptions::new(options.number, length, Duration::from_secs(options.expires_in_s)))
}
