/* An auth plugin of contract 1.1, when its table had no `read_logout_notice` yet; for the tests. Whoever has the password
 * `right` is who they say; the user name `twice` is answered again and again, and `never` is not answered.
 *
 * cc -std=c11 -shared -fPIC -pthread -I plugins/sdk/include examples/auth-faulty/older.c -o plugin.so */
#define _POSIX_C_SOURCE 200809L
#include "boxvault_plugin.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}

static void answer(bv_completion done, uint32_t status)
{
  bv_outcome outcome = {.size = sizeof outcome, .status = status, .time_ms = BV_TIME_UNKNOWN};
  done.done(done.host, done.call, &outcome);
}

static int is(bv_str text, const char *expected)
{
  return text.len == strlen(expected) && memcmp(text.data, expected, text.len) == 0;
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
  bv_outcome outcome = {.size = sizeof outcome, .status = BV_STATUS_OK, .time_ms = BV_TIME_UNKNOWN};
  outcome.handle = malloc(1);
  outcome.release = free;
  done.done(done.host, done.call, &outcome);
}

static uint64_t facets(void *instance)
{
  (void)instance;
  /* what 1.1 knows, and what only 1.2 does: it has no function for that */
  return BV_FACET_PASSWORD | BV_FACET_LOGOUT_NOTICE;
}

static void health(void *instance, bv_completion done)
{
  (void)instance;
  answer(done, BV_STATUS_OK);
}

static void tell_claims(bv_completion done, bv_str name)
{
  char *json = malloc(3 * name.len + 128);
  int length = sprintf(json, "{\"issuer\":\"older\",\"subject\":\"%.*s\",\"username\":\"%.*s\"}", (int)name.len,
                       (const char *)name.data, (int)name.len, (const char *)name.data);
  bv_outcome outcome = {.size = sizeof outcome, .status = BV_STATUS_OK, .time_ms = BV_TIME_UNKNOWN};
  outcome.data = (bv_owned_bytes){.data = (const uint8_t *)json, .len = length, .owner = json, .release = free};
  done.done(done.host, done.call, &outcome);
}

/* Answers once more later, from another thread, with bytes that would be freed twice. */
static void *answer_again(void *copy)
{
  bv_completion done = *(bv_completion *)copy;
  free(copy);
  nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  static char bytes[] = "x";
  bv_outcome outcome = {.size = sizeof outcome, .status = BV_STATUS_OK};
  outcome.data = (bv_owned_bytes){.data = (const uint8_t *)bytes, .len = 1, .owner = bytes, .release = free};
  done.done(done.host, done.call, &outcome);
  return NULL;
}

static void sign_in(void *instance, bv_str username, bv_str password, bv_completion done)
{
  (void)instance;
  if (is(username, "never"))
    return;
  if (!is(password, "right")) {
    answer(done, BV_ERROR_BAD_CREDENTIALS);
    return;
  }
  tell_claims(done, username);
  if (is(username, "twice")) {
    answer(done, BV_ERROR_BAD_CREDENTIALS);
    bv_completion *copy = malloc(sizeof *copy);
    *copy = done;
    pthread_t thread;
    if (!pthread_create(&thread, NULL, answer_again, copy))
      pthread_detach(thread);
    else
      free(copy);
  }
}

static void unsupported(void *instance, bv_str text, bv_completion done)
{
  (void)instance;
  (void)text;
  answer(done, BV_ERROR_UNSUPPORTED);
}

static const bv_auth_table table = {
  .size = offsetof(bv_auth_table, read_logout_notice),
  .validate = validate,
  .create = create,
  .facets = facets,
  .health = health,
  .authenticate_password = sign_in,
  .start_redirect = unsupported,
  .finish_redirect = unsupported,
  .introspect_token = unsupported,
  .refresh = unsupported,
  .logout = unsupported,
  .groups = unsupported,
  /* Beyond what this plugin knows of: whoever reads it believes the host's header more than the plugin's size. */
  .read_logout_notice = (void (*)(void *, bv_str, bv_completion))abort,
};

static const bv_handshake handshake = {
  .magic = BV_MAGIC, .abi_major = BV_ABI_MAJOR, .abi_minor = 1,
  .size = sizeof(bv_handshake), .kind = BV_KIND_AUTH, .name = TEXT("older"), .version = TEXT("1"),
  .license = TEXT("MIT"), .target = TEXT(BV_TARGET),
  .config_schema = TEXT("{\"type\":\"object\",\"additionalProperties\":false}"),
  .table = &table,
};

const bv_handshake *boxvault_plugin_entry(void);
const bv_handshake *boxvault_plugin_entry(void) { return &handshake; }
