//! How a call ended: fixed numbers, never changed and never used again.

/// The call did what it should.
pub const STATUS_OK: u32 = 0;
/// A reader has no more bytes.
pub const STATUS_END: u32 = 1;

/// Anything without a better name. Unknown numbers are read as this.
pub const ERROR_UNEXPECTED: u32 = 16;
/// There is no such object, account or session.
pub const ERROR_NOT_FOUND: u32 = 17;
/// The key exists, and this backend does not replace it.
pub const ERROR_ALREADY_EXISTS: u32 = 18;
/// The outside world refused: file mode, bucket policy, bind account.
pub const ERROR_PERMISSION_DENIED: u32 = 19;
/// The outside world does not answer, or says "later".
pub const ERROR_UNAVAILABLE: u32 = 20;
/// The configuration cannot work; the message names the key.
pub const ERROR_INVALID_CONFIG: u32 = 21;
/// The caller passed something that can never work, for instance a bad key.
pub const ERROR_INVALID_INPUT: u32 = 22;
/// This plugin does not do that.
pub const ERROR_UNSUPPORTED: u32 = 23;
/// No space or no quota is left.
pub const ERROR_STORAGE_FULL: u32 = 24;
/// The operation ended because somebody gave it up.
pub const ERROR_CANCELLED: u32 = 25;
/// The plugin panicked, and caught it.
pub const ERROR_PANICKED: u32 = 26;
/// The outside world did not answer in time.
pub const ERROR_DEADLINE_EXCEEDED: u32 = 27;
/// User name or password are wrong, or the token is not valid. Never say which.
pub const ERROR_BAD_CREDENTIALS: u32 = 28;
/// The credentials are right, and the account may not sign in.
pub const ERROR_ACCOUNT_DISABLED: u32 = 29;
/// Too many attempts; try again later.
pub const ERROR_TOO_MANY_REQUESTS: u32 = 30;
/// The other side broke this contract.
pub const ERROR_CONTRACT_VIOLATION: u32 = 31;
