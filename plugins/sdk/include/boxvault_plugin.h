/* The contract between BoxVault and its plugins, version 1.2.
 *
 * Generated from plugins/sdk/src/abi: do not edit. A plugin is a shared library that exports one
 * function, boxvault_plugin_entry; examples/storage-c is a complete one. Rules that hold everywhere:
 *
 * - Structs grow only at the end. Their size says how much is there; what is missing is zero.
 * - Whoever allocated frees: bytes and handles carry their own release.
 * - Borrowed text is UTF-8, not terminated, and valid only until the called function returns.
 * - Every function may be called from any thread.
 * - Nothing unwinds across: no exception, no longjmp.
 * - A library is never unloaded.
 *
 * Names in the comments are without their prefix: StorageTable is bv_storage_table.
 */

#ifndef BOXVAULT_PLUGIN_H
#define BOXVAULT_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

/* What this is compiled for, as bv_handshake.target says it. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__)
#define BV_TARGET "x86_64-linux-gnu"
#elif defined(__x86_64__) && defined(__linux__)
#define BV_TARGET "x86_64-linux-musl"
#elif defined(__aarch64__) && defined(__linux__) && defined(__GLIBC__)
#define BV_TARGET "aarch64-linux-gnu"
#elif defined(__aarch64__) && defined(__linux__)
#define BV_TARGET "aarch64-linux-musl"
#else
#define BV_TARGET "other"
#endif

/* The name of LocalPathTable. */
#define BV_EXTENSION_LOCAL_PATH "boxvault.storage.local_path.1"

/* The name of PresignTable. */
#define BV_EXTENSION_PRESIGN "boxvault.storage.presign.1"

/* The name of UnfinishedTable. */
#define BV_EXTENSION_UNFINISHED "boxvault.storage.unfinished.1"


/*
 The call did what it should.
 */
#define BV_STATUS_OK 0

/*
 A reader has no more bytes.
 */
#define BV_STATUS_END 1

/*
 Anything without a better name. Unknown numbers are read as this.
 */
#define BV_ERROR_UNEXPECTED 16

/*
 There is no such object, account or session.
 */
#define BV_ERROR_NOT_FOUND 17

/*
 The key exists, and this backend does not replace it.
 */
#define BV_ERROR_ALREADY_EXISTS 18

/*
 The outside world refused: file mode, bucket policy, bind account.
 */
#define BV_ERROR_PERMISSION_DENIED 19

/*
 The outside world does not answer, or says "later".
 */
#define BV_ERROR_UNAVAILABLE 20

/*
 The configuration cannot work; the message names the key.
 */
#define BV_ERROR_INVALID_CONFIG 21

/*
 The caller passed something that can never work, for instance a bad key.
 */
#define BV_ERROR_INVALID_INPUT 22

/*
 This plugin does not do that.
 */
#define BV_ERROR_UNSUPPORTED 23

/*
 No space or no quota is left.
 */
#define BV_ERROR_STORAGE_FULL 24

/*
 The operation ended because somebody gave it up.
 */
#define BV_ERROR_CANCELLED 25

/*
 The plugin panicked, and caught it.
 */
#define BV_ERROR_PANICKED 26

/*
 The outside world did not answer in time.
 */
#define BV_ERROR_DEADLINE_EXCEEDED 27

/*
 User name or password are wrong, or the token is not valid. Never say which.
 */
#define BV_ERROR_BAD_CREDENTIALS 28

/*
 The credentials are right, and the account may not sign in.
 */
#define BV_ERROR_ACCOUNT_DISABLED 29

/*
 Too many attempts; try again later.
 */
#define BV_ERROR_TOO_MANY_REQUESTS 30

/*
 The other side broke this contract.
 */
#define BV_ERROR_CONTRACT_VIOLATION 31

/*
 `Outcome::time_ms` when the time is not known.
 */
#define BV_TIME_UNKNOWN INT64_MIN

/*
 The first eight bytes of every handshake: "BOXVAULT" in a little-endian integer.
 */
#define BV_MAGIC 6074323736525819714

/*
 Must be the same on both sides.
 */
#define BV_ABI_MAJOR 1

/*
 May differ: the newer side knows what the older one lacks.
 */
#define BV_ABI_MINOR 2

/*
 `Handshake::kind` of a storage backend; `table` is a `StorageTable`.
 */
#define BV_KIND_STORAGE 1

/*
 `Handshake::kind` of an auth provider; `table` is an `AuthTable`.
 */
#define BV_KIND_AUTH 2

/*
 Log levels, for `Host::log`: somebody must act.
 */
#define BV_LOG_ERROR 1

/*
 Something went wrong, and was coped with.
 */
#define BV_LOG_WARN 2

/*
 One line for a meaningful event.
 */
#define BV_LOG_INFO 3

/*
 For those who look for a defect.
 */
#define BV_LOG_DEBUG 4

/*
 Everything.
 */
#define BV_LOG_TRACE 5

/*
 `read_open` fetches only the asked range.
 */
#define BV_CAPABILITY_RANGE_READ 1

/*
 Memory does not grow with the size of a written object.
 */
#define BV_CAPABILITY_STREAMED_WRITE 2

/*
 A taken key is refused with `ERROR_ALREADY_EXISTS`, at `write_open` or at `write_finish`.
 */
#define BV_CAPABILITY_CREATE_NEW 4

/*
 `list` works.
 */
#define BV_CAPABILITY_LIST 8

/*
 The extension `EXTENSION_LOCAL_PATH` works.
 */
#define BV_CAPABILITY_LOCAL_PATH 16

/*
 The extension `EXTENSION_PRESIGN` works.
 */
#define BV_CAPABILITY_PRESIGN_READ 32

/*
 The extension `EXTENSION_UNFINISHED` works. Since 1.1.
 */
#define BV_CAPABILITY_LIST_UNFINISHED 64

/*
 The functions of `EXTENSION_PRESIGN` for writing work, and `EXTENSION_UNFINISHED` as well. Since 1.2.
 */
#define BV_CAPABILITY_PRESIGN_WRITE 128

/*
 As the `length` of `read_open`: to the end.
 */
#define BV_LENGTH_TO_END UINT64_MAX

/*
 As the `size_hint` of `WriteOptions` or the `length` of `PartOptions`: nobody knows.
 */
#define BV_SIZE_UNKNOWN UINT64_MAX

/*
 `authenticate_password` works.
 */
#define BV_FACET_PASSWORD 1

/*
 `start_redirect` and `finish_redirect` work.
 */
#define BV_FACET_REDIRECT 2

/*
 `introspect_token` works.
 */
#define BV_FACET_INTROSPECT 4

/*
 `refresh` works.
 */
#define BV_FACET_REFRESH 8

/*
 `logout` works.
 */
#define BV_FACET_LOGOUT 16

/*
 `groups` works.
 */
#define BV_FACET_GROUPS 32

/*
 `read_logout_notice` works. Since 1.2.
 */
#define BV_FACET_LOGOUT_NOTICE 64

/*
 Borrowed bytes, mostly UTF-8 text; not terminated.

 Valid only until the function that they are passed to returns; copy what you keep. `data` may be
 NULL if `len` is 0. Text in a handshake is valid for ever.
 */
typedef struct bv_str {
  /*
   The first byte.
   */
  const uint8_t *data;
  /*
   How many bytes.
   */
  uint64_t len;
} bv_str;

/*
 Owned bytes. Whoever holds them calls `release(owner)` exactly once when done, from any thread.

 The bytes do not change while they are held. `release` may be NULL: then nothing is to be done
 and the bytes are valid for ever. All zero is a valid empty value.
 */
typedef struct bv_owned_bytes {
  /*
   The first byte; may be NULL if `len` is 0.
   */
  const uint8_t *data;
  /*
   How many bytes.
   */
  uint64_t len;
  /*
   What to give to `release`.
   */
  void *owner;
  /*
   Frees the bytes; may be NULL.
   */
  void (*release)(void *owner);
} bv_owned_bytes;

/*
 How a call ended, and what it brought. Set all to zero, then `size`, then what applies.

 Handing this to `done` gives `handle` and `data` away: the host releases them.
 */
typedef struct bv_outcome {
  /*
   `sizeof` of this struct, as the plugin knows it.
   */
  uint32_t size;
  /*
   `STATUS_OK`, `STATUS_END`, or one of the errors.
   */
  uint32_t status;
  /*
   With an error: not 0 if the same call can succeed later by itself.
   */
  uint32_t retry;
  /*
   0.
   */
  uint32_t reserved;
  /*
   The number that the called function promises, for instance the size of an object.
   */
  uint64_t value;
  /*
   The time that the called function promises: milliseconds since 1970 (UTC), or
   `TIME_UNKNOWN`.
   */
  int64_t time_ms;
  /*
   The instance, reader or writer that the called function promises.
   */
  void *handle;
  /*
   Frees `handle`; called once, from any thread, when every call on the handle is answered. An
   instance is released after its readers and writers.
   */
  void (*release)(void *handle);
  /*
   The bytes that the called function promises. With an error: the message, UTF-8, lower case,
   saying what failed on what, without secrets.
   */
  struct bv_owned_bytes data;
} bv_outcome;

/*
 Where a call answers.

 Every function that takes one calls `done(host, call, &outcome)` exactly once: from any thread,
 before or after it returns itself, also when it fails and when nobody waits any more. A second
 answer is ignored (and counted against the plugin), and what it carries is not released.
 `outcome` need not live longer than the call of `done`. If nobody holds the handle any more that
 the call was made on, `done` releases it: do not touch it after `done`.
 */
typedef struct bv_completion {
  /*
   For `done`; means nothing to the plugin.
   */
  void *host;
  /*
   For `done`; means nothing to the plugin.
   */
  uint64_t call;
  /*
   Takes the answer. Does not block.
   */
  void (*done)(void *host, uint64_t call, const struct bv_outcome *outcome);
} bv_completion;

/*
 What a plugin is. Static: valid and unchanged for the life of the process.

 The one exported symbol is `const Handshake *boxvault_plugin_entry(void)`. It has no side
 effects, may be called more than once, and returns NULL only if the plugin cannot work at all.
 */
typedef struct bv_handshake {
  /*
   `MAGIC`.
   */
  uint64_t magic;
  /*
   `ABI_MAJOR` of the header that the plugin was built with.
   */
  uint16_t abi_major;
  /*
   `ABI_MINOR` of the header that the plugin was built with.
   */
  uint16_t abi_minor;
  /*
   `sizeof` of this struct, as the plugin knows it.
   */
  uint32_t size;
  /*
   `KIND_STORAGE` or `KIND_AUTH`.
   */
  uint32_t kind;
  /*
   0.
   */
  uint32_t reserved;
  /*
   The name, as in the configuration: small letters, digits, `-` and `_`.
   */
  struct bv_str name;
  /*
   The plugin's own version.
   */
  struct bv_str version;
  /*
   An SPDX expression, for instance `Apache-2.0 OR MIT`.
   */
  struct bv_str license;
  /*
   What it was built for: `<arch>-<os>-<libc>`, for instance `x86_64-linux-gnu`.
   */
  struct bv_str target;
  /*
   JSON Schema (2020-12) of the configuration. The host checks against it first.
   `writeOnly` marks secrets.
   */
  struct bv_str config_schema;
  /*
   The functions, by kind. Static.
   */
  const void *table;
  /*
   Looks up an optional table by name, for instance `EXTENSION_LOCAL_PATH`; NULL for an unknown
   one. What it returns is static. May be NULL.
   */
  const void *(*extension)(struct bv_str name);
} bv_handshake;

/*
 What the host offers. Static: valid and unchanged for the life of the process.
 */
typedef struct bv_host {
  /*
   `sizeof` of this struct, as the host knows it.
   */
  uint32_t size;
  /*
   The host's `ABI_MAJOR`.
   */
  uint16_t abi_major;
  /*
   The host's `ABI_MINOR`.
   */
  uint16_t abi_minor;
  /*
   The most talkative level that the host wants to see; one of the `LOG_…`.
   */
  uint32_t log_level_max;
  /*
   0.
   */
  uint32_t reserved;
  /*
   For `log`; means nothing to the plugin.
   */
  void *context;
  /*
   Takes one line for the server's log: who speaks, and what they say. Does not block. Never
   log secrets.
   */
  void (*log)(void *context, uint32_t level, struct bv_str target, struct bv_str message);
} bv_host;

/*
 What is known about an object before it is written. Valid only for the call.
 */
typedef struct bv_write_options {
  /*
   `sizeof` of this struct, as the host knows it.
   */
  uint32_t size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   The length in bytes, or `SIZE_UNKNOWN`. A hint: more or less may come.
   */
  uint64_t size_hint;
} bv_write_options;

/*
 One row of a listing.
 */
typedef struct bv_entry {
  /*
   The whole key; valid as long as the bytes that hold the entries.
   */
  struct bv_str key;
  /*
   Length in bytes.
   */
  uint64_t size;
  /*
   Milliseconds since 1970 (UTC), or `TIME_UNKNOWN`.
   */
  int64_t modified_ms;
} bv_entry;

/*
 How a presigned address shall behave. Valid only for the call.
 */
typedef struct bv_presign_options {
  /*
   `sizeof` of this struct, as the host knows it.
   */
  uint32_t size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   How long it works, in seconds.
   */
  uint64_t expires_in_s;
  /*
   The `Content-Disposition` to answer with; empty for none.
   */
  struct bv_str content_disposition;
  /*
   The `Content-Type` to answer with; empty for none.
   */
  struct bv_str content_type;
} bv_presign_options;

/*
 A part that somebody else shall send. Valid only for the call. Since 1.2.
 */
typedef struct bv_part_options {
  /*
   `sizeof` of this struct, as the host knows it.
   */
  uint32_t size;
  /*
   Which part, counted from 1.
   */
  uint32_t number;
  /*
   Its length in bytes, or `SIZE_UNKNOWN`.
   */
  uint64_t length;
  /*
   How long the address works, in seconds.
   */
  uint64_t expires_in_s;
} bv_part_options;

/*
 A place for immutable objects.

 All functions are required. Keys: segments of UTF-8 text between single slashes, at most 1024
 bytes, no leading or trailing slash, no `.` or `..` segment, no backslash, no control character;
 anything else is answered with `ERROR_INVALID_INPUT`. The host has at most one call under way
 for each reader and each writer; for an instance, any number at once.
 */
typedef struct bv_storage_table {
  /*
   `sizeof` of this struct, as the plugin knows it.
   */
  uint32_t size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   Checks a configuration (JSON) without side effects.
   */
  void (*validate)(const struct bv_host *host, struct bv_str config, struct bv_completion done);
  /*
   Makes an instance from a configuration (JSON): `handle`. `host` stays valid for ever.
   */
  void (*create)(const struct bv_host *host, struct bv_str config, struct bv_completion done);
  /*
   The `CAPABILITY_…` of an instance. Constant; answers at once.
   */
  uint64_t (*capabilities)(void *instance);
  /*
   Asks the outside world whether it answers.
   */
  void (*health)(void *instance, struct bv_completion done);
  /*
   Looks up an object: `value` = size, `time_ms` = when it was finished, `data` = the backend's
   tag or nothing.
   */
  void (*stat)(void *instance, struct bv_str key, struct bv_completion done);
  /*
   Opens an object for reading: `handle`. `length` may be `LENGTH_TO_END`. The range is clipped
   to the object; one behind its end reads nothing and is no error.
   */
  void (*read_open)(void *instance,
                    struct bv_str key,
                    uint64_t offset,
                    uint64_t length,
                    struct bv_completion done);
  /*
   The next chunk of a reader: `data`, not empty; or `STATUS_END`.
   */
  void (*read_next)(void *reader, struct bv_completion done);
  /*
   Opens a new object for writing: `handle`. Nothing is visible under the key before
   `write_finish`. Releasing an unfinished writer aborts it.
   */
  void (*write_open)(void *instance,
                     struct bv_str key,
                     const struct bv_write_options *options,
                     struct bv_completion done);
  /*
   Takes the next chunk. The plugin owns `chunk` from now on, also when it fails. May answer
   before the bytes are written; then a failure comes with the next call on the writer.
   */
  void (*write)(void *writer, struct bv_owned_bytes chunk, struct bv_completion done);
  /*
   Makes the object visible, whole and durable: answers like `stat`. After this, or after
   `write_abort`, only `release` is called.
   */
  void (*write_finish)(void *writer, struct bv_completion done);
  /*
   Throws away what was written; nothing is left.
   */
  void (*write_abort)(void *writer, struct bv_completion done);
  /*
   Removes an object. One that is not there is no error.
   */
  void (*remove)(void *instance, struct bv_str key, struct bv_completion done);
  /*
   Lists the objects whose key starts with `prefix` and sorts after `after` (empty: from the
   start), by the bytes of the key, at most `limit`: `data` = an array of `Entry`, `value` =
   how many. Fewer than `limit` means the end. Unfinished objects are not listed.
   */
  void (*list)(void *instance,
               struct bv_str prefix,
               struct bv_str after,
               uint32_t limit,
               struct bv_completion done);
} bv_storage_table;

/*
 The extension `EXTENSION_LOCAL_PATH`: objects are plain files that the host may open itself.
 */
typedef struct bv_local_path_table {
  /*
   `sizeof` of this struct, as the plugin knows it.
   */
  uint32_t size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   The absolute path of the file that holds the object: `data`.
   */
  void (*local_path)(void *instance, struct bv_str key, struct bv_completion done);
} bv_local_path_table;

/*
 The extension `EXTENSION_PRESIGN`: clients may fetch objects from the store themselves, and since 1.2 send them to it.
 */
typedef struct bv_presign_table {
  /*
   `sizeof` of this struct, as the plugin knows it.
   */
  uint32_t size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   An address from which anybody can read the object for a while: `data`.
   */
  void (*presign_read)(void *instance,
                       struct bv_str key,
                       const struct bv_presign_options *options,
                       struct bv_completion done);
  /*
   Begins an object whose parts others send: `data` = a token for the functions below, text of at most 1024 bytes;
   `value` = the size of a part in bytes, but for the last one. Nothing is visible under the key before
   `direct_finish`; `abort_unfinished` of `UnfinishedTable` throws it away. Since 1.2, like those below.
   */
  void (*direct_begin)(void *instance,
                       struct bv_str key,
                       const struct bv_write_options *options,
                       struct bv_completion done);
  /*
   An address that takes one part from anybody for a while, by a PUT without any header of its own: `data`. A part
   that is sent again replaces itself. Once the object is finished or thrown away, the address changes nothing.
   */
  void (*direct_part)(void *instance,
                      struct bv_str key,
                      struct bv_str token,
                      const struct bv_part_options *options,
                      struct bv_completion done);
  /*
   Makes the object visible, whole and durable, of the parts that came, in the order of their numbers: answers like
   `stat`. What is finished already answers the same again. `ERROR_NOT_FOUND` if no part is
   there: none came, or it was thrown away.
   */
  void (*direct_finish)(void *instance,
                        struct bv_str key,
                        struct bv_str token,
                        struct bv_completion done);
} bv_presign_table;

/*
 The extension `EXTENSION_UNFINISHED`: the store keeps objects whose writing was begun and never ended, for
 instance because the process was killed, and they can be found and removed. Since 1.1.
 */
typedef struct bv_unfinished_table {
  /*
   `sizeof` of this struct, as the plugin knows it.
   */
  uint32_t size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   Lists like `list` of `StorageTable`, and what that does not: objects whose writing was begun and neither
   finished nor aborted, by whomever. `modified_ms` says when it was begun; the size may be 0.
   */
  void (*list_unfinished)(void *instance,
                          struct bv_str prefix,
                          struct bv_str after,
                          uint32_t limit,
                          struct bv_completion done);
  /*
   Throws away everything that was begun under a key and not finished. Nothing is no error.
   */
  void (*abort_unfinished)(void *instance, struct bv_str key, struct bv_completion done);
} bv_unfinished_table;

/*
 Somebody who knows who people are.

 All functions of 1.0 are required; one whose facet is not declared answers `ERROR_UNSUPPORTED`.
 Where the comment says *claims*, `data` is a JSON object:
 `{"issuer": "…", "subject": "…", "username": "…", "email": null or "…", "email_verified": false,
 "display_name": null or "…", "groups": ["…"], "attributes": {"key": ["…"]}, "expires": null or
 seconds since 1970, "session": null or "…"}`. The first three are required and not empty; `issuer`
 and `subject` together name the account for ever; `session` names the session at the provider. A wrong name and a wrong password are the same error,
 `ERROR_BAD_CREDENTIALS`, after the same work.
 */
typedef struct bv_auth_table {
  /*
   `sizeof` of this struct, as the plugin knows it.
   */
  uint32_t size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   Checks a configuration (JSON) without side effects.
   */
  void (*validate)(const struct bv_host *host, struct bv_str config, struct bv_completion done);
  /*
   Makes an instance from a configuration (JSON): `handle`. `host` stays valid for ever.
   */
  void (*create)(const struct bv_host *host, struct bv_str config, struct bv_completion done);
  /*
   The `FACET_…` of an instance. Constant; answers at once.
   */
  uint64_t (*facets)(void *instance);
  /*
   Asks the outside world whether it answers.
   */
  void (*health)(void *instance, struct bv_completion done);
  /*
   Signs in by name and password: claims. Neither is empty or holds a NUL; the name is at most
   1 KiB, the password at most 16 KiB.
   */
  void (*authenticate_password)(void *instance,
                                struct bv_str username,
                                struct bv_str password,
                                struct bv_completion done);
  /*
   Says where to send the browser. `request` is `{"callback_url", "state", "nonce",
   "code_challenge"}` (S256); `data` is `{"url": "…"}`.
   */
  void (*start_redirect)(void *instance, struct bv_str request, struct bv_completion done);
  /*
   Takes what the browser brought back: claims. `callback` is `{"callback_url",
   "parameters": {…}, "nonce", "code_verifier"}`; the host has compared the state.
   */
  void (*finish_redirect)(void *instance, struct bv_str callback, struct bv_completion done);
  /*
   Checks a token that the provider issued: claims.
   */
  void (*introspect_token)(void *instance, struct bv_str token, struct bv_completion done);
  /*
   Asks again about somebody who signed in before: claims.
   */
  void (*refresh)(void *instance, struct bv_str subject, struct bv_completion done);
  /*
   Ends the session at the provider: `data` = an address to send the browser to, or nothing.
   */
  void (*logout)(void *instance, struct bv_str subject, struct bv_completion done);
  /*
   The groups of somebody: `data` = a JSON array of text.
   */
  void (*groups)(void *instance, struct bv_str subject, struct bv_completion done);
  /*
   Reads what the provider itself sends when a session ended there (the logout token of OpenID
   Connect): `data` is `{"subject": null or "…", "session": null or "…", "issued": seconds since
   1970}`, with a subject or a session. Anybody may have sent it. Since 1.2; may be NULL.
   */
  void (*read_logout_notice)(void *instance, struct bv_str notice, struct bv_completion done);
} bv_auth_table;

#endif  /* BOXVAULT_PLUGIN_H */


#ifdef __cplusplus
extern "C" {
#endif

/* The one symbol that a plugin exports. Has no side effects, may be called more than once. */
const bv_handshake *boxvault_plugin_entry(void);

#ifdef __cplusplus
}
#endif
