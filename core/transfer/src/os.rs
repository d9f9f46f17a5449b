//! The system calls that the standard library does not offer, each behind a safe function. One of
//! the two files of this crate with `unsafe`.
//!
//! On other systems than Linux nothing here fails: what cannot be known is unknown and slices are
//! never sent by the kernel, so every caller has one ordinary path left.
#![expect(
    unsafe_code,
    reason = "sendfile, preadv2, posix_fadvise, setrlimit and mallopt have no safe form in std"
)]

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd},
};

/// Whether a byte of a file could be had without waiting for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Residency {
    /// It is in memory.
    Resident,
    /// It is not.
    Cold,
    /// The file system cannot tell.
    Unknown,
    /// The file ends before it.
    BeyondEnd,
}

/// Asks whether the byte at `offset` is in the page cache. Never waits for the disk.
#[cfg(target_os = "linux")]
pub(crate) fn residency(file: &File, offset: u64) -> Residency {
    let mut byte = 0_u8;
    let target = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let Ok(offset) = libc::off_t::try_from(offset) else { return Residency::BeyondEnd };
    // SAFETY: `target` describes one writable byte that lives until the call returns, the count of
    // vectors is one, and the descriptor is open because `file` is borrowed.
    let read =
        unsafe { libc::preadv2(file.as_raw_fd(), &raw const target, 1, offset, libc::RWF_NOWAIT) };
    match read {
        1 => Residency::Resident,
        0 => Residency::BeyondEnd,
        _ => match io::Error::last_os_error().raw_os_error() {
            Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL) => Residency::Unknown,
            // EAGAIN. A failing disk shows itself when the bytes are fetched.
            _ => Residency::Cold,
        },
    }
}

/// Asks whether the byte at `offset` is in the page cache; here this cannot be known.
#[cfg(not(target_os = "linux"))]
pub(crate) fn residency(_file: &File, _offset: u64) -> Residency {
    Residency::Unknown
}

/// The unit in which files are mapped.
pub(crate) fn page_bytes() -> usize {
    // SAFETY: the call takes a number and returns one.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).ok().filter(|bytes| *bytes > 0).unwrap_or(4096)
}

/// Tells the kernel to fetch this part of a file. Advice: a failure changes nothing.
#[cfg(target_os = "linux")]
pub(crate) fn will_need(file: &File, offset: u64, bytes: u64) {
    let (Ok(offset), Ok(bytes)) = (libc::off_t::try_from(offset), libc::off_t::try_from(bytes))
    else {
        return;
    };
    // SAFETY: the call takes no pointer; the descriptor is open because `file` is borrowed.
    let advised =
        unsafe { libc::posix_fadvise(file.as_raw_fd(), offset, bytes, libc::POSIX_FADV_WILLNEED) };
    if advised != 0 {
        tracing::trace!(errno = advised, "the file system takes no read-ahead advice");
    }
}

/// Tells the kernel to fetch this part of a file; not offered here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn will_need(_file: &File, _offset: u64, _bytes: u64) {}

/// Sends up to `bytes` of `file`, from `offset` on, into a non-blocking socket.
///
/// Returns how many were sent; 0 means that the file ends before `offset`.
///
/// # Errors
///
/// `WouldBlock` when the socket is full, `EINVAL` or `ENOSYS` when this file cannot be sent so.
#[cfg(target_os = "linux")]
pub(crate) fn send_file(
    socket: &impl AsFd,
    file: &File,
    offset: u64,
    bytes: usize,
) -> io::Result<usize> {
    let mut offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: `offset` is a writable integer that lives until the call returns; both descriptors
    // are open because their owners are borrowed.
    let sent = unsafe { libc::sendfile(socket, file.as_raw_fd(), &raw mut offset, bytes) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Sends a part of a file into a socket; not offered here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn send_file(
    _socket: &impl AsFd,
    _file: &File,
    _offset: u64,
    _bytes: usize,
) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Lets a socket wait for full packets, or send what it has. Advice: a failure changes nothing.
#[cfg(target_os = "linux")]
pub(crate) fn set_cork(socket: &impl AsFd, cork: bool) {
    if let Err(error) = socket2::SockRef::from(socket).set_tcp_cork(cork) {
        tracing::trace!(%error, "could not set TCP_CORK");
    }
}

/// Lets a socket wait for full packets; not offered here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn set_cork(_socket: &impl AsFd, _cork: bool) {}

/// Raises the soft limit of open files to the hard one, and returns it.
///
/// A registry with a thousand clients needs more than the 1024 that many systems start with. Call
/// it once, at start.
///
/// # Errors
///
/// What the system said; the limit is then as it was.
pub fn raise_open_files_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a writable struct of the type that the call fills.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is a filled struct that the call only reads.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(limit.rlim_cur)
}

/// Lets all threads share two heaps, where glibc would give each its own. Chunks of files are allocated on the threads
/// of one runtime and freed on those of another; heaps that only ever grow hold on to far more than is in use.
///
/// Called before any thread is started. Does nothing with another C library.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn share_heaps() {
    const HEAPS: libc::c_int = 2;
    // SAFETY: the call takes two numbers, and the value is one that the parameter allows.
    let accepted = unsafe { libc::mallopt(libc::M_ARENA_MAX, HEAPS) };
    debug_assert_eq!(accepted, 1, "glibc knows M_ARENA_MAX");
}

/// Gives the system back what the heaps hold and nobody uses: after the start, a third of an idle server's own memory.
///
/// Takes some milliseconds. Does nothing with another C library.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn trim_heaps() {
    // SAFETY: the call takes a number of bytes to leave at the end of the heap, and touches no memory that is in use.
    let _freed = unsafe { libc::malloc_trim(0) };
}

/// Gives back what the heaps hold; here there is nothing to call.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn trim_heaps() {}

/// Lets all threads share two heaps; here there is nothing to set.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn share_heaps() {}
