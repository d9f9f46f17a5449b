//! A plugin in a process of its own: the same traits, over a socket.
//!
//! The process is this program again, with a hidden command ([`serve`]); it loads the library as the
//! server would, and what it hands back is asked over a pair of Unix sockets. So whatever a plugin
//! does to its process (abort, hang, leak) ends there: the calls that were open fail, another process
//! is started after a wait, and the server goes on.
//!
//! Streams are pulled: the server asks for each chunk, and sends the next one when the last was taken.
//! No side ever holds more than one chunk of an object, and a slow client slows the plugin down.

mod auth;
mod child;
mod connection;
mod log;
mod storage;
mod supervisor;
mod wire;

use std::{path::PathBuf, time::Duration};

pub use auth::IsolatedAuthProvider;
pub use child::serve;
pub use storage::IsolatedStorage;
pub(crate) use supervisor::{Spec, Supervisor};

/// How plugins are held that run in processes of their own.
#[derive(Clone, Debug)]
pub struct IsolationOptions {
    /// The program that serves a plugin; `None` is this one.
    pub program: Option<PathBuf>,
    /// The arguments with which it does.
    pub arguments: Vec<String>,
    /// The most memory that such a process may take for data, in bytes; zero is no limit.
    pub memory_bytes_max: u64,
    /// The longest file that it may write, in bytes; zero is no limit. For tests: what is beyond fails as on a full
    /// disk.
    pub file_bytes_max: u64,
    /// So many calls may be open beyond their deadline; with one more, the process is ended and started again.
    pub hung_calls_max: u64,
    /// The longest wait before a process is started again; the first is 200 ms, unless this is shorter, and each doubles.
    pub restart_wait_max: Duration,
}

impl Default for IsolationOptions {
    fn default() -> Self {
        Self {
            program: None,
            arguments: vec!["plugin-process".to_owned()],
            memory_bytes_max: 1 << 30,
            file_bytes_max: 0,
            hung_calls_max: 8,
            restart_wait_max: Duration::from_mins(1),
        }
    }
}
