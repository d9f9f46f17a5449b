/* A plugin that breaks the C table itself, one way for each -DFAULT_…; for the tests.
 *
 * Without a fault it is a storage plugin that loads, makes instances, and holds nothing.
 */
#define _POSIX_C_SOURCE 200809L

#include "boxvault_plugin.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef FAULT_MAGIC
#define FAULT_MAGIC BV_MAGIC
#endif
#ifndef FAULT_ABI_MAJOR
#define FAULT_ABI_MAJOR BV_ABI_MAJOR
#endif
#ifndef FAULT_ABI_MINOR
#define FAULT_ABI_MINOR BV_ABI_MINOR
#endif
#ifndef FAULT_SIZE
#define FAULT_SIZE sizeof(bv_handshake)
#endif
#ifndef FAULT_KIND
#define FAULT_KIND BV_KIND_STORAGE
#endif
#ifndef FAULT_TARGET
#define FAULT_TARGET BV_TARGET
#endif
#ifndef FAULT_SCHEMA
#define FAULT_SCHEMA "{\"type\":\"object\",\"additionalProperties\":false}"
#endif

static void answer(bv_completion done, uint32_t status)
{
  bv_outcome outcome = {.size = sizeof outcome, .status = status, .time_ms = BV_TIME_UNKNOWN};
  done.done(done.host, done.call, &outcome);
}

static void validate(const bv_host *host, bv_str config, bv_completion done)
{
  (void)host;
  (void)config;
  answer(done, BV_STATUS_OK);
}

static void create(const bv_host *host, bv_str config, bv_completion done)
{
  (void)host;
  (void)config;
#ifdef FAULT_NO_HANDLE
  answer(done, BV_STATUS_OK);
#else
  bv_outcome outcome = {.size = sizeof outcome, .status = BV_STATUS_OK, .time_ms = BV_TIME_UNKNOWN};
  outcome.handle = malloc(1);
  outcome.release = free;
  done.done(done.host, done.call, &outcome);
#endif
}

static uint64_t capabilities(void *instance)
{
  (void)instance;
  return BV_CAPABILITY_LIST | BV_CAPABILITY_LOCAL_PATH | BV_CAPABILITY_PRESIGN_READ;
}

static void health(void *instance, bv_completion done)
{
  (void)instance;
  answer(done, BV_STATUS_OK);
}

#ifdef FAULT_TWICE
/* Answers again later, from another thread, with a handle and bytes that would be freed twice. */
static void *answer_again(void *copy)
{
  bv_completion done = *(bv_completion *)copy;
  free(copy);
  nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  static char bytes[] = "x";
  bv_outcome outcome = {.size = sizeof outcome, .status = BV_STATUS_OK};
  outcome.handle = bytes;
  outcome.release = free;
  outcome.data = (bv_owned_bytes){.data = (const uint8_t *)bytes, .len = 1, .owner = bytes, .release = free};
  done.done(done.host, done.call, &outcome);
  return NULL;
}
#endif

static void stat_object(void *instance, bv_str key, bv_completion done)
{
  (void)instance;
  (void)key;
#if defined(FAULT_TWICE)
  answer(done, BV_STATUS_OK);
  answer(done, BV_STATUS_OK);
  bv_completion *copy = malloc(sizeof *copy);
  *copy = done;
  pthread_t thread;
  if (!pthread_create(&thread, NULL, answer_again, copy))
    pthread_detach(thread);
  else
    free(copy);
#elif defined(FAULT_NO_OUTCOME)
  done.done(done.host, done.call, NULL);
#elif defined(FAULT_CRASH)
  (void)done;
  abort();
#elif defined(FAULT_NEVER)
  (void)done;
#elif defined(FAULT_UNKNOWN_STATUS)
  answer(done, 4711);
#elif defined(FAULT_LENGTH_WITHOUT_BYTES)
  bv_outcome outcome = {.size = sizeof outcome, .status = BV_STATUS_OK};
  outcome.data.len = 1000;
  done.done(done.host, done.call, &outcome);
#else
  answer(done, BV_ERROR_NOT_FOUND);
#endif
}

static void read_open(void *instance, bv_str key, uint64_t offset, uint64_t length, bv_completion done)
{
  (void)offset;
  (void)length;
  stat_object(instance, key, done);
}

static void read_next(void *reader, bv_completion done) { (void)reader; answer(done, BV_STATUS_END); }

static void write_open(void *instance, bv_str key, const bv_write_options *options, bv_completion done)
{
  (void)options;
  stat_object(instance, key, done);
}

static void write_chunk(void *writer, bv_owned_bytes chunk, bv_completion done)
{
  (void)writer;
  if (chunk.release)
    chunk.release(chunk.owner);
  answer(done, BV_ERROR_UNSUPPORTED);
}

static void write_end(void *writer, bv_completion done) { (void)writer; answer(done, BV_ERROR_UNSUPPORTED); }

static void remove_object(void *instance, bv_str key, bv_completion done)
{
  (void)instance;
  (void)key;
  answer(done, BV_STATUS_OK);
}

/* Says that there are rows, and brings none. */
static void list(void *instance, bv_str prefix, bv_str after, uint32_t limit, bv_completion done)
{
  (void)instance;
  (void)prefix;
  (void)after;
  bv_outcome outcome = {.size = sizeof outcome, .status = BV_STATUS_OK, .value = limit};
  done.done(done.host, done.call, &outcome);
}

static const bv_storage_table TABLE = {
#ifdef FAULT_SHORT_TABLE
  .size = 24,
#else
  .size = sizeof(bv_storage_table),
#endif
  .validate = validate, .create = create, .capabilities = capabilities, .health = health,
#ifndef FAULT_NO_FUNCTION
  .stat = stat_object,
#endif
  .read_open = read_open, .read_next = read_next, .write_open = write_open, .write = write_chunk,
  .write_finish = write_end, .write_abort = write_end, .remove = remove_object, .list = list,
};

#define TEXT(text) {(const uint8_t *)(text), sizeof(text) - 1}

static const bv_handshake HANDSHAKE = {
  .magic = FAULT_MAGIC, .abi_major = FAULT_ABI_MAJOR, .abi_minor = FAULT_ABI_MINOR,
  .size = FAULT_SIZE, .kind = FAULT_KIND, .name = TEXT("broken"), .version = TEXT("1"),
  .license = TEXT("MIT"), .target = TEXT(FAULT_TARGET), .config_schema = TEXT(FAULT_SCHEMA),
#ifdef FAULT_NO_TABLE
  .table = sizeof TABLE ? NULL : &TABLE,
#else
  .table = &TABLE,
#endif
};

#ifdef FAULT_NO_SYMBOL
const bv_handshake *another_entry(void) { return &HANDSHAKE; }
#elif defined(FAULT_NO_HANDSHAKE)
const bv_handshake *boxvault_plugin_entry(void) { (void)HANDSHAKE; return NULL; }
#else
const bv_handshake *boxvault_plugin_entry(void) { return &HANDSHAKE; }
#endif
