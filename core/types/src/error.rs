//! The closed list of ways a request can fail.
//!
//! A [`ErrorCode`] is what a client may rely on; its [`ErrorKind`] decides the HTTP status, in one table of the server.

use std::fmt;

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is malformed, or a value in it is not allowed.
    Invalid,
    /// No credentials, or bad ones.
    Unauthenticated,
    /// Known, but not allowed.
    Forbidden,
    /// It does not exist, or the caller may not know that it does.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// It conflicts with the present state.
    Conflict,
    /// A condition of the request does not hold any more.
    PreconditionFailed,
    /// Somebody else works on it.
    Locked,
    /// A piece of an upload is not what was declared of it.
    ChunkMismatch,
    /// Over a limit.
    TooLarge,
    /// The body is of a type that is not taken.
    UnsupportedMediaType,
    /// The range lies outside the file.
    RangeNotSatisfiable,
    /// The bytes do not match what was declared of them.
    Unprocessable,
    /// Too many requests.
    TooManyRequests,
    /// The client was too slow.
    RequestTimeout,
    /// A part that we depend on is out of reach; try again.
    Unavailable,
    /// The store is full.
    StorageFull,
    /// More than somebody allowed.
    OverQuota,
    /// A defect of ours.
    Internal,
}

macro_rules! codes {
    ($(#[doc = $meaning:literal] $variant:ident = $text:literal, $kind:ident;)+) => {
        /// A stable code, upper snake case, listed in the API document.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $meaning] $variant),+
        }

        impl ErrorCode {
            /// Every code, in the order of its declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as clients see it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }

            /// What it says, in a sentence for people.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning.trim_ascii_start()),+
                }
            }

            /// Its class.
            pub const fn kind(self) -> ErrorKind {
                match self {
                    $(Self::$variant => ErrorKind::$kind),+
                }
            }
        }
    };
}

codes! {
    /// The body is not the JSON that the operation takes.
    MalformedBody = "MALFORMED_BODY", Invalid;
    /// A value is not allowed; `fields` tells which and why.
    InvalidInput = "INVALID_INPUT", Invalid;
    /// The caller's own password, which this asks for once more, is another one.
    CurrentPasswordWrong = "CURRENT_PASSWORD_WRONG", Invalid;
    /// The code that is to confirm a second factor is not the one that the app shows now.
    CodeWrong = "CODE_WRONG", Invalid;
    /// No credentials where some are needed.
    CredentialsMissing = "CREDENTIALS_MISSING", Unauthenticated;
    /// The presented credentials are unknown, forged, expired or revoked.
    CredentialsInvalid = "CREDENTIALS_INVALID", Unauthenticated;
    /// A link is unknown, expired or was used before, or what it was made for is gone.
    LinkInvalid = "LINK_INVALID", Unauthenticated;
    /// User name or password is wrong, or the account may not sign in.
    SignInFailed = "SIGN_IN_FAILED", Unauthenticated;
    /// The auth provider did not say who it is, or the account may not sign in.
    SignInRefused = "SIGN_IN_REFUSED", Unauthenticated;
    /// The sign-in was not begun in this browser, was finished before, or took too long; begin again.
    SignInExpired = "SIGN_IN_EXPIRED", Unauthenticated;
    /// The refresh token is unknown, expired or was used before.
    RefreshTokenInvalid = "REFRESH_TOKEN_INVALID", Unauthenticated;
    /// The password is right; a code of the second factor is needed as well.
    SecondFactorRequired = "SECOND_FACTOR_REQUIRED", Unauthenticated;
    /// The code of the second factor is wrong or was used before.
    SecondFactorInvalid = "SECOND_FACTOR_INVALID", Unauthenticated;
    /// The one-time set-up token is wrong.
    SetupTokenInvalid = "SETUP_TOKEN_INVALID", Unauthenticated;
    /// The caller is known, but a policy does not allow it.
    PermissionDenied = "PERMISSION_DENIED", Forbidden;
    /// The account's e-mail address has to be proven first.
    EmailUnverified = "EMAIL_UNVERIFIED", Forbidden;
    /// The organization is suspended: it serves nothing and takes nothing.
    OrganizationSuspended = "ORGANIZATION_SUSPENDED", Forbidden;
    /// The invitation was sent to another e-mail address than the account's.
    InvitationForOther = "INVITATION_FOR_OTHER", Forbidden;
    /// The organization takes members by invitation only, so there is nothing to ask for.
    JoinRequestsClosed = "JOIN_REQUESTS_CLOSED", Forbidden;
    /// The server does not take new accounts.
    SignUpClosed = "SIGN_UP_CLOSED", Forbidden;
    /// No such path.
    PathNotFound = "PATH_NOT_FOUND", NotFound;
    /// No such user.
    UserNotFound = "USER_NOT_FOUND", NotFound;
    /// No such organization.
    OrganizationNotFound = "ORGANIZATION_NOT_FOUND", NotFound;
    /// No such member.
    MemberNotFound = "MEMBER_NOT_FOUND", NotFound;
    /// No such box.
    BoxNotFound = "BOX_NOT_FOUND", NotFound;
    /// No such version.
    VersionNotFound = "VERSION_NOT_FOUND", NotFound;
    /// No such provider.
    ProviderNotFound = "PROVIDER_NOT_FOUND", NotFound;
    /// No such architecture.
    ArchitectureNotFound = "ARCHITECTURE_NOT_FOUND", NotFound;
    /// Nothing was uploaded there.
    FileNotFound = "FILE_NOT_FOUND", NotFound;
    /// No such unfinished upload; it may have expired.
    UploadNotFound = "UPLOAD_NOT_FOUND", NotFound;
    /// No such API token.
    TokenNotFound = "TOKEN_NOT_FOUND", NotFound;
    /// No such invitation: it is unknown, was used or withdrawn, or has ended.
    InvitationNotFound = "INVITATION_NOT_FOUND", NotFound;
    /// No such request to join that waits for a decision: it is unknown, was decided or withdrawn.
    JoinRequestNotFound = "JOIN_REQUEST_NOT_FOUND", NotFound;
    /// There is no such move of files from store to store.
    MoveNotFound = "MOVE_NOT_FOUND", NotFound;
    /// No such service account.
    ServiceAccountNotFound = "SERVICE_ACCOUNT_NOT_FOUND", NotFound;
    /// No such way to sign in.
    SignInMethodNotFound = "SIGN_IN_METHOD_NOT_FOUND", NotFound;
    /// No such session.
    SessionNotFound = "SESSION_NOT_FOUND", NotFound;
    /// No such version of the policy.
    PolicyVersionNotFound = "POLICY_VERSION_NOT_FOUND", NotFound;
    /// The path exists, the method does not.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", MethodNotAllowed;
    /// Something of that name exists.
    AlreadyExists = "ALREADY_EXISTS", Conflict;
    /// The second factor is on where it has to be off, or off where it has to be on.
    SecondFactorState = "SECOND_FACTOR_STATE", Conflict;
    /// The server is set up.
    AlreadySetUp = "ALREADY_SET_UP", Conflict;
    /// The version has been released: its files are immutable.
    VersionReleased = "VERSION_RELEASED", Conflict;
    /// The version has no file that a client could fetch.
    VersionEmpty = "VERSION_EMPTY", Conflict;
    /// The version is in a state that does not allow it.
    VersionState = "VERSION_STATE", Conflict;
    /// The organization mirrors another registry, where its boxes are changed.
    MirrorReadOnly = "MIRROR_READ_ONLY", Conflict;
    /// The name still leads to another box, which had it before.
    FormerName = "FORMER_NAME", Conflict;
    /// It is not deleted, so there is nothing to restore.
    NotDeleted = "NOT_DELETED", Conflict;
    /// Somebody else changed it at the same time; read it again.
    LostRace = "LOST_RACE", Conflict;
    /// The organization has another name now, under which it can be changed.
    OrganizationRenamed = "ORGANIZATION_RENAMED", Conflict;
    /// The account that it is about is suspended.
    AccountSuspended = "ACCOUNT_SUSPENDED", Conflict;
    /// An organization always has an owner.
    LastOwner = "LAST_OWNER", Conflict;
    /// The server always has a platform admin.
    LastAdmin = "LAST_ADMIN", Conflict;
    /// The upload stands at another offset; ask for it and continue there.
    OffsetMismatch = "OFFSET_MISMATCH", Conflict;
    /// Files go through the server here, and not straight to the object store; upload them as usual.
    DirectUploadUnavailable = "DIRECT_UPLOAD_UNAVAILABLE", Conflict;
    /// Another request with the same `Idempotency-Key` is running; `Retry-After` tells when to ask again.
    IdempotencyKeyInUse = "IDEMPOTENCY_KEY_IN_USE", Conflict;
    /// The request with this `Idempotency-Key` was sent before, and its answer is not there to be given again.
    IdempotencyAnswerGone = "IDEMPOTENCY_ANSWER_GONE", Conflict;
    /// `If-Match` names an older state.
    PreconditionFailed = "PRECONDITION_FAILED", PreconditionFailed;
    /// The version of the protocol is missing, or not spoken here.
    ProtocolVersion = "PROTOCOL_VERSION", PreconditionFailed;
    /// Somebody else writes to the upload.
    UploadLocked = "UPLOAD_LOCKED", Locked;
    /// The chunk has another checksum than was declared; it was thrown away.
    ChunkMismatch = "CHUNK_MISMATCH", ChunkMismatch;
    /// The body is longer than the limit.
    BodyTooLarge = "BODY_TOO_LARGE", TooLarge;
    /// One file may not be as large.
    FileTooLarge = "FILE_TOO_LARGE", TooLarge;
    /// The body is of a type that is not taken here.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", UnsupportedMediaType;
    /// The range lies outside the file.
    RangeNotSatisfiable = "RANGE_NOT_SATISFIABLE", RangeNotSatisfiable;
    /// The bytes have another checksum than was declared.
    ChecksumMismatch = "CHECKSUM_MISMATCH", Unprocessable;
    /// Fewer or more bytes came than were declared.
    LengthMismatch = "LENGTH_MISMATCH", Unprocessable;
    /// The file is not a Vagrant box.
    NotABox = "NOT_A_BOX", Unprocessable;
    /// The box is for another provider than the one it was uploaded to.
    ProviderMismatch = "PROVIDER_MISMATCH", Unprocessable;
    /// The rules are not ones that the server would work by; `fields` tells each problem by file, line and column.
    PolicyInvalid = "POLICY_INVALID", Unprocessable;
    /// The `Idempotency-Key` was used before, with another body.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", Unprocessable;
    /// Too many requests; `Retry-After` tells when to come back.
    RateLimited = "RATE_LIMITED", TooManyRequests;
    /// As many uploads are unfinished as one user may have.
    TooManyUploads = "TOO_MANY_UPLOADS", TooManyRequests;
    /// Too many failed sign-ins; `Retry-After` tells when to come back.
    SignInThrottled = "SIGN_IN_THROTTLED", TooManyRequests;
    /// The client sent nothing for too long.
    ClientTooSlow = "CLIENT_TOO_SLOW", RequestTimeout;
    /// The database is out of reach.
    CatalogUnavailable = "CATALOG_UNAVAILABLE", Unavailable;
    /// The store is out of reach.
    StoreUnavailable = "STORE_UNAVAILABLE", Unavailable;
    /// The registry that is mirrored is out of reach, and what was asked for is not here yet.
    UpstreamUnavailable = "UPSTREAM_UNAVAILABLE", Unavailable;
    /// An auth provider is out of reach.
    AuthProviderUnavailable = "AUTH_PROVIDER_UNAVAILABLE", Unavailable;
    /// Too much at once; `Retry-After` tells when to come back.
    Busy = "BUSY", Unavailable;
    /// The store has no room left.
    StorageFull = "STORAGE_FULL", StorageFull;
    /// The organization may not have as much.
    QuotaExceeded = "QUOTA_EXCEEDED", OverQuota;
    /// A defect of the server; the request id finds it in the log.
    Internal = "INTERNAL", Internal;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
