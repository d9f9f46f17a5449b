/* A complete storage plugin in one C file: objects are plain files under a root.
 *
 * It passes the same conformance suite as the plugins in Rust, which is the proof that the contract
 * is C. Everything is answered before the called function returns, which the contract allows; a
 * plugin for real use would answer from threads of its own, because the host's thread waits here for
 * the disk. Written for reading: one function for each entry of the table, helpers above them.
 *
 *     cc -std=c11 -Wall -Wextra -shared -fPIC -I ../../plugins/sdk/include \
 *        -o libboxvault_storage_c.so storage_c.c
 */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE

#include "boxvault_plugin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES ((uint64_t)1 << 20)
#define KEY_BYTES_MAX 1024
#define STAGING ".staging"

struct instance { char root[PATH_MAX / 2]; };
struct reader { int file; uint64_t offset, end; };
struct writer { struct instance *instance; int file, failed; uint64_t written; char staged[PATH_MAX], path[PATH_MAX], key[KEY_BYTES_MAX + 1]; };

/* ---- answering ---- */

static void answer(bv_completion done, bv_outcome outcome)
{
  outcome.size = sizeof outcome;
  done.done(done.host, done.call, &outcome);
}

static bv_owned_bytes give_away(char *bytes, uint64_t len)
{
  return (bv_owned_bytes){.data = (const uint8_t *)bytes, .len = len, .owner = bytes, .release = free};
}

static void ok(bv_completion done) { answer(done, (bv_outcome){.status = BV_STATUS_OK, .time_ms = BV_TIME_UNKNOWN}); }

static void fail(bv_completion done, uint32_t status, const char *message)
{
  bv_outcome outcome = {.status = status, .time_ms = BV_TIME_UNKNOWN};
  outcome.data = (bv_owned_bytes){.data = (const uint8_t *)message, .len = strlen(message)};
  answer(done, outcome);
}

static void fail_errno(bv_completion done, int error)
{
  switch (error) {
  case ENOENT: case ENOTDIR: fail(done, BV_ERROR_NOT_FOUND, "there is no such object"); break;
  case EACCES: case EPERM: case EROFS: fail(done, BV_ERROR_PERMISSION_DENIED, "the file system refuses"); break;
  case ENOSPC: case EDQUOT: case EFBIG: fail(done, BV_ERROR_STORAGE_FULL, "no space is left"); break;
  case ENAMETOOLONG: fail(done, BV_ERROR_INVALID_INPUT, "the key is too long for the file system"); break;
  default: fail(done, BV_ERROR_UNEXPECTED, "the file system failed"); break;
  }
}

static void answer_handle(bv_completion done, void *handle, void (*release)(void *))
{
  answer(done, (bv_outcome){.status = BV_STATUS_OK, .time_ms = BV_TIME_UNKNOWN, .handle = handle, .release = release});
}

static void answer_meta(bv_completion done, const struct stat *meta)
{
  int64_t ms = (int64_t)meta->st_mtim.tv_sec * 1000 + meta->st_mtim.tv_nsec / 1000000;
  answer(done, (bv_outcome){.status = BV_STATUS_OK, .value = (uint64_t)meta->st_size, .time_ms = ms});
}

/* ---- keys and paths ---- */

/* How many bytes a character of UTF-8 has at the start of a text; 0 if there is none, or a control character of two bytes. */
static uint64_t character(const uint8_t *text, uint64_t len)
{
  uint32_t size = text[0] < 0x80 ? 1 : (text[0] & 0xe0) == 0xc0 ? 2 : (text[0] & 0xf0) == 0xe0 ? 3 : (text[0] & 0xf8) == 0xf0 ? 4 : 0;
  if (size < 2 || size > len)
    return size > len ? 0 : size;
  uint32_t code = text[0] & (0x7fu >> size);
  for (uint32_t i = 1; i < size; i++) {
    if ((text[i] & 0xc0) != 0x80)
      return 0;
    code = code << 6 | (text[i] & 0x3f);
  }
  static const uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000}; /* 0x80 to 0x9f are control characters */
  bool surrogate = code >= 0xd800 && code <= 0xdfff;
  return code < least[size] || code > 0x10ffff || surrogate ? 0 : size;
}

static bool good_key(bv_str key)
{
  if (key.len == 0 || key.len > KEY_BYTES_MAX)
    return false;
  for (uint64_t i = 0, size; i < key.len; i += size)
    if (!(size = character(key.data + i, key.len - i)))
      return false;
  uint64_t start = 0; /* of the segment */
  for (uint64_t i = 0; i <= key.len; i++) {
    if (i == key.len || key.data[i] == '/') {
      uint64_t len = i - start;
      const char *segment = (const char *)key.data + start;
      if (len == 0 || (len == 1 && segment[0] == '.') || (len == 2 && !memcmp(segment, "..", 2)))
        return false;
      if (start == 0 && len == strlen(STAGING) && !memcmp(segment, STAGING, len))
        return false;
      start = i + 1;
    } else if (key.data[i] < 0x20 || key.data[i] == 0x7f || key.data[i] == '\\') {
      return false;
    }
  }
  return true;
}

/* The path of an object; answers the call itself if the key is bad. */
static bool path_of(const struct instance *instance, bv_str key, char path[PATH_MAX], bv_completion done)
{
  if (!instance || !good_key(key)) {
    fail(done, BV_ERROR_INVALID_INPUT, "bad object key");
    return false;
  }
  int len = snprintf(path, PATH_MAX, "%s/%.*s", instance->root, (int)key.len, (const char *)key.data);
  if (len < 0 || len >= PATH_MAX) {
    fail(done, BV_ERROR_INVALID_INPUT, "the path is too long");
    return false;
  }
  return true;
}

static int make_folders(const char *path)
{
  char folder[PATH_MAX];
  snprintf(folder, sizeof folder, "%s", path);
  for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    if (mkdir(folder, 0777) && errno != EEXIST)
      return -1;
    *slash = '/';
  }
  return 0;
}

/* Flushes every folder from the file's up to the root, so that the name survives a loss of power. */
static int flush_folders(const char *root, const char *path)
{
  char folder[PATH_MAX];
  snprintf(folder, sizeof folder, "%s", path);
  while (strlen(folder) > strlen(root)) {
    *strrchr(folder, '/') = 0;
    int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0)
      return -1;
    int result = fsync(file);
    close(file);
    if (result)
      return -1;
  }
  return 0;
}

/* ---- instances ---- */

/* Reads "root" of the configuration. The host has checked it against the schema, so it is an object
 * with exactly this key; escapes other than of quote, slash and backslash are refused. */
static bool read_root(bv_str config, char *root, size_t size)
{
  const char *at = (const char *)config.data, *end = at + config.len;
  const char *name = "\"root\"";
  while (at + strlen(name) < end && memcmp(at, name, strlen(name)))
    at++;
  at += strlen(name);
  while (at < end && (*at == ' ' || *at == ':'))
    at++;
  if (at >= end || *at++ != '"')
    return false;
  size_t len = 0;
  for (; at < end && *at != '"'; at++) {
    if (*at == '\\' && (++at >= end || !strchr("\"\\/", *at)))
      return false;
    if (len + 1 >= size)
      return false;
    root[len++] = *at;
  }
  root[len] = 0;
  return at < end && root[0] == '/';
}

static void validate(const bv_host *host, bv_str config, bv_completion done)
{
  char root[PATH_MAX / 2];
  (void)host;
  if (read_root(config, root, sizeof root))
    ok(done);
  else
    fail(done, BV_ERROR_INVALID_CONFIG, "root: must be an absolute path of ordinary length");
}

static void create(const bv_host *host, bv_str config, bv_completion done)
{
  struct instance *instance = calloc(1, sizeof *instance);
  char staging[PATH_MAX];
  if (!instance || !read_root(config, instance->root, sizeof instance->root)) {
    free(instance);
    fail(done, BV_ERROR_INVALID_CONFIG, "root: must be an absolute path of ordinary length");
    return;
  }
  snprintf(staging, sizeof staging, "%s/%s/", instance->root, STAGING);
  if (make_folders(staging)) {
    int error = errno;
    free(instance);
    fail_errno(done, error);
    return;
  }
  if (host && host->log && host->log_level_max >= BV_LOG_INFO) {
    static const char target[] = "storage_c", line[] = "a store in C is open";
    host->log(host->context, BV_LOG_INFO, (bv_str){(const uint8_t *)target, sizeof target - 1},
              (bv_str){(const uint8_t *)line, sizeof line - 1});
  }
  answer_handle(done, instance, free);
}

static uint64_t capabilities(void *instance)
{
  (void)instance;
  return BV_CAPABILITY_RANGE_READ | BV_CAPABILITY_STREAMED_WRITE | BV_CAPABILITY_LIST | BV_CAPABILITY_LOCAL_PATH;
}

static void health(void *handle, bv_completion done)
{
  struct instance *instance = handle;
  struct stat meta;
  if (stat(instance->root, &meta))
    fail_errno(done, errno);
  else
    ok(done);
}

static void stat_object(void *handle, bv_str key, bv_completion done)
{
  char path[PATH_MAX];
  struct stat meta;
  if (!path_of(handle, key, path, done))
    return;
  if (stat(path, &meta))
    fail_errno(done, errno);
  else if (!S_ISREG(meta.st_mode))
    fail_errno(done, ENOENT);
  else
    answer_meta(done, &meta);
}

static void remove_object(void *handle, bv_str key, bv_completion done)
{
  char path[PATH_MAX];
  if (!path_of(handle, key, path, done))
    return;
  if (unlink(path) && errno != ENOENT && errno != ENOTDIR)
    fail_errno(done, errno);
  else
    ok(done);
}

static void local_path(void *handle, bv_str key, bv_completion done)
{
  char path[PATH_MAX];
  struct stat meta;
  if (!path_of(handle, key, path, done))
    return;
  if (stat(path, &meta) || !S_ISREG(meta.st_mode)) {
    fail_errno(done, ENOENT);
    return;
  }
  bv_outcome outcome = {.status = BV_STATUS_OK, .time_ms = BV_TIME_UNKNOWN};
  outcome.data = give_away(strdup(path), strlen(path));
  answer(done, outcome);
}

/* ---- reading ---- */

static void release_reader(void *handle)
{
  struct reader *reader = handle;
  close(reader->file);
  free(reader);
}

static void read_open(void *handle, bv_str key, uint64_t offset, uint64_t length, bv_completion done)
{
  char path[PATH_MAX];
  struct stat meta;
  if (!path_of(handle, key, path, done))
    return;
  struct reader *reader = calloc(1, sizeof *reader);
  reader->file = open(path, O_RDONLY | O_CLOEXEC);
  if (reader->file < 0 || fstat(reader->file, &meta) || !S_ISREG(meta.st_mode)) {
    int error = reader->file < 0 ? errno : ENOENT;
    if (reader->file >= 0)
      close(reader->file);
    free(reader);
    fail_errno(done, error);
    return;
  }
  uint64_t size = (uint64_t)meta.st_size;
  reader->offset = offset < size ? offset : size;
  reader->end = length < size - reader->offset ? reader->offset + length : size;
  answer_handle(done, reader, release_reader);
}

static void read_next(void *handle, bv_completion done)
{
  struct reader *reader = handle;
  uint64_t len = reader->end - reader->offset;
  if (len == 0) {
    answer(done, (bv_outcome){.status = BV_STATUS_END, .time_ms = BV_TIME_UNKNOWN});
    return;
  }
  if (len > CHUNK_BYTES)
    len = CHUNK_BYTES;
  char *bytes = malloc(len);
  ssize_t count = bytes ? pread(reader->file, bytes, len, (off_t)reader->offset) : -1;
  if (count <= 0) { /* 0: the file was cut short, which must not look like its end */
    free(bytes);
    fail_errno(done, EIO);
    return;
  }
  reader->offset += (uint64_t)count;
  bv_outcome outcome = {.status = BV_STATUS_OK, .time_ms = BV_TIME_UNKNOWN};
  outcome.data = give_away(bytes, (uint64_t)count);
  answer(done, outcome);
}

/* ---- writing ---- */

static void discard(struct writer *writer)
{
  if (writer->file >= 0) {
    close(writer->file);
    unlink(writer->staged);
    writer->file = -1;
  }
}

static void release_writer(void *handle)
{
  discard(handle); /* does nothing after finish */
  free(handle);
}

static void write_open(void *handle, bv_str key, const bv_write_options *options, bv_completion done)
{
  static atomic_ulong count;
  struct instance *instance = handle;
  struct writer *writer = calloc(1, sizeof *writer);
  (void)options;
  if (!path_of(instance, key, writer->path, done)) {
    free(writer);
    return;
  }
  writer->instance = instance;
  snprintf(writer->staged, sizeof writer->staged, "%s/%s/%ld-%lu", instance->root, STAGING, (long)getpid(), atomic_fetch_add(&count, 1));
  writer->file = open(writer->staged, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (writer->file < 0) {
    int error = errno == ENOENT ? EIO : errno;
    free(writer);
    fail_errno(done, error);
    return;
  }
  answer_handle(done, writer, release_writer);
}

static void write_chunk(void *handle, bv_owned_bytes chunk, bv_completion done)
{
  struct writer *writer = handle;
  uint64_t at = 0;
  while (!writer->failed && at < chunk.len) {
    ssize_t count = write(writer->file, chunk.data + at, chunk.len - at);
    if (count >= 0)
      at += (uint64_t)count;
    else if (errno != EINTR)
      writer->failed = errno;
  }
  if (chunk.release)
    chunk.release(chunk.owner);
  if (writer->failed)
    fail_errno(done, writer->failed);
  else
    ok(done);
}

static void write_finish(void *handle, bv_completion done)
{
  struct writer *writer = handle;
  struct stat meta;
  if (!writer->failed && (fsync(writer->file) || fstat(writer->file, &meta) || make_folders(writer->path) || rename(writer->staged, writer->path)))
    writer->failed = errno;
  if (writer->failed) {
    discard(writer);
    fail_errno(done, writer->failed == ENOENT ? EIO : writer->failed);
    return;
  }
  close(writer->file);
  writer->file = -1;
  if (flush_folders(writer->instance->root, writer->path))
    fail_errno(done, EIO);
  else
    answer_meta(done, &meta);
}

static void write_abort(void *handle, bv_completion done)
{
  discard(handle);
  ok(done);
}

/* ---- listing ---- */

struct rows { bv_entry *rows; size_t count, room; const char *root; bv_str prefix, after; };

static int compare(bv_str a, bv_str b)
{
  int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
  return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_rows(const void *a, const void *b) { return compare(((const bv_entry *)a)->key, ((const bv_entry *)b)->key); }

static void collect(struct rows *rows, const char *key)
{
  char path[PATH_MAX], below[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", rows->root, key);
  DIR *folder = opendir(path);
  if (!folder)
    return;
  for (struct dirent *entry; (entry = readdir(folder));) {
    struct stat meta;
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || (!*key && !strcmp(entry->d_name, STAGING)))
      continue;
    int len = snprintf(below, sizeof below, "%s%s%s", key, *key ? "/" : "", entry->d_name);
    if (len < 0 || len > KEY_BYTES_MAX || fstatat(dirfd(folder), entry->d_name, &meta, AT_SYMLINK_NOFOLLOW))
      continue;
    bv_str name = {(const uint8_t *)below, (uint64_t)len};
    if (S_ISDIR(meta.st_mode)) {
      collect(rows, below);
    } else if (S_ISREG(meta.st_mode) && name.len >= rows->prefix.len && !memcmp(name.data, rows->prefix.data, rows->prefix.len) && compare(name, rows->after) > 0) {
      if (rows->count == rows->room) {
        rows->room = rows->room ? 2 * rows->room : 64;
        rows->rows = realloc(rows->rows, rows->room * sizeof *rows->rows);
      }
      name.data = (const uint8_t *)strdup(below);
      int64_t ms = (int64_t)meta.st_mtim.tv_sec * 1000 + meta.st_mtim.tv_nsec / 1000000;
      rows->rows[rows->count++] = (bv_entry){.key = name, .size = (uint64_t)meta.st_size, .modified_ms = ms};
    }
  }
  closedir(folder);
}

static void release_rows(void *owner)
{
  struct rows *rows = owner;
  for (size_t i = 0; i < rows->count; i++)
    free((void *)rows->rows[i].key.data);
  free(rows->rows);
  free(rows);
}

static void list(void *handle, bv_str prefix, bv_str after, uint32_t limit, bv_completion done)
{
  struct instance *instance = handle;
  struct rows *rows = calloc(1, sizeof *rows);
  *rows = (struct rows){.root = instance->root, .prefix = prefix, .after = after};
  collect(rows, "");
  if (rows->count)
    qsort(rows->rows, rows->count, sizeof *rows->rows, compare_rows);
  uint64_t count = rows->count < limit ? rows->count : limit;
  bv_outcome outcome = {.status = BV_STATUS_OK, .time_ms = BV_TIME_UNKNOWN, .value = count};
  outcome.data = (bv_owned_bytes){.data = (const uint8_t *)rows->rows, .len = count * sizeof(bv_entry), .owner = rows, .release = release_rows};
  answer(done, outcome);
}

/* ---- what the plugin is ---- */

static const bv_storage_table TABLE = {
  .size = sizeof(bv_storage_table), .validate = validate, .create = create, .capabilities = capabilities,
  .health = health, .stat = stat_object, .read_open = read_open, .read_next = read_next,
  .write_open = write_open, .write = write_chunk, .write_finish = write_finish,
  .write_abort = write_abort, .remove = remove_object, .list = list,
};

static const bv_local_path_table LOCAL_PATH = {.size = sizeof(bv_local_path_table), .local_path = local_path};

static const void *extension(bv_str name)
{
  bool known = name.len == strlen(BV_EXTENSION_LOCAL_PATH) && !memcmp(name.data, BV_EXTENSION_LOCAL_PATH, name.len);
  return known ? &LOCAL_PATH : NULL;
}

#define TEXT(text) {(const uint8_t *)(text), sizeof(text) - 1}

static const bv_handshake HANDSHAKE = {
  .magic = BV_MAGIC, .abi_major = BV_ABI_MAJOR, .abi_minor = BV_ABI_MINOR, .size = sizeof(bv_handshake),
  .kind = BV_KIND_STORAGE, .name = TEXT("c"), .version = TEXT("0.1.0"),
  .license = TEXT("Apache-2.0 OR MIT"), .target = TEXT(BV_TARGET),
  .config_schema = TEXT("{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"root\"],"
                        "\"properties\":{\"root\":{\"type\":\"string\",\"pattern\":\"^/\"}}}"),
  .table = &TABLE, .extension = extension,
};

const bv_handshake *boxvault_plugin_entry(void) { return &HANDSHAKE; }
