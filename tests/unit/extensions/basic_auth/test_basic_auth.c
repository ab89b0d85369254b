/* SPDX-License-Identifier: Apache-2.0 */
#include "extensions/basic_auth/basic_auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/base/alloc.h"
#include "tests/kit/kit.h"

/* bcrypt of "secret"; {SHA} and {SSHA} (salt "salt") of "secret"; SHA-512 crypt of "pw6" */
#define BCRYPT "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
#define SHA "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
#define SSHA "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0"
#define CRYPT \
    "$6$rounds=1000$abc$wqAAw990dzqIF1Ycn1ZJz01FF7ssBgiU4KXFL7tPMe9lJScr08ABYQsoGTJ/B5xgLhsukN3gyQ.TYJJgv2imT0"

/* ---- hashes ---- */

static struct crypt_data scratch;
static bool fits(const char *hash, const char *password)
{
    return basic_auth__verify(&scratch, hash, leat_slice_str(password));
}

/* Scenario:   each kind of hash with its password, with another, with an empty one and with one that is too long.
 * Guarantees: only the password fits. */
LEAT_TEST(only_the_password_fits)
{
    static char huge[2000];
    memset(huge, 'x', sizeof huge - 1);
    static const char *const hashes[] = {BCRYPT, SHA, SSHA, "secret"};
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
        EXPECT(fits(hashes[i], "secret"));
        EXPECT(!fits(hashes[i], "Secret"));
        EXPECT(!fits(hashes[i], "secre"));
        EXPECT(!fits(hashes[i], "secret2"));
        EXPECT(!fits(hashes[i], ""));
        EXPECT(!fits(hashes[i], huge));
    }
    EXPECT(fits(CRYPT, "pw6"));
    EXPECT(!fits(CRYPT, "pw7"));
}

/* Scenario:   hashes that are damaged.
 * Guarantees: nothing fits them, the hash itself least of all. */
LEAT_TEST(damaged_hashes_fit_nothing)
{
    static const char *const damaged[] = {"{SHA}",        "{SHA}AAAA", "{SSHA}*",
                                          "$2y$05$short", "$6$",       "$2y$99$abcdefghijklmnopqrstuu"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        EXPECT(!fits(damaged[i], "secret"));
        EXPECT(!fits(damaged[i], damaged[i]));
        EXPECT(!fits(damaged[i], ""));
    }
}

/* ---- asking ---- */

struct rig {
    struct leat_loop *loop;
    struct leat_host host;
    uint64_t counts[4];
    struct basic_auth_conf conf;
    struct basic_auth basic;
    struct leat_server_auth server;
};

static leat_rc rig_open(struct rig *rig, const char *users, int64_t per_second)
{
    *rig = (struct rig){
        .conf = {.htpasswd.inline_text = users, .has_htpasswd = true, .max_checks_per_second = per_second}};
    leat_rc rc = leat_loop_open_simulated(leat_world_real(), &rig->loop);
    if (rc != LEAT_OK)
        return rc;
    rig->host =
        (struct leat_host){.id = "basic_auth", .loop = rig->loop, .world = leat_world_real(), .counts = rig->counts};
    rc = basic_auth__open(&rig->basic, &rig->conf, &rig->host, NULL);
    return rc == LEAT_OK ? basic_auth__server(&rig->basic, &rig->server) : rc;
}

static void rig_close(struct rig *rig)
{
    basic_auth__close(&rig->basic);
    if (rig->loop)
        leat_loop_close(rig->loop);
}

static const char *said(struct rig *rig, const char *authorization)
{
    static struct leat_err err;
    struct leat_header header = {LEAT_SLICE("Authorization"), leat_slice_str(authorization)};
    err = (struct leat_err){0};
    leat_rc rc = rig->server.check(rig->server.state, (struct leat_headers){&header, *authorization ? 1 : 0}, &err);
    EXPECT(rc == LEAT_OK || rc == LEAT_EAUTH);
    return rc == LEAT_OK ? "in" : err.text;
}

/* Scenario:   good, wrong, absent and malformed credentials, by users of which one is listed twice.
 * Guarantees: the good come in, the rest is refused with a reason that holds no password; the later line counts. */
LEAT_TEST(only_users_come_in)
{
    static struct rig rig;
    EXPECT_OK(rig_open(&rig, "# users\n\n  a:first\r\nb:" SHA "\na:colon:in:it\n", 10));
    EXPECT_STR(said(&rig, "Basic YTpjb2xvbjppbjppdA=="), "in");          /* a:colon:in:it */
    EXPECT_STR(said(&rig, "basic YjpzZWNyZXQ="), "in");                  /* b:secret */
    EXPECT_STR(said(&rig, "Basic YTpmaXJzdA=="), "invalid credentials"); /* a:first */
    EXPECT_STR(said(&rig, "Basic YzpzZWNyZXQ="), "invalid credentials"); /* c:secret */
    EXPECT_STR(said(&rig, "Basic Yjo="), "invalid credentials");         /* b: */
    EXPECT_STR(said(&rig, ""), "no basic auth provided");
    EXPECT_STR(said(&rig, "Basic"), "invalid authorization format");
    EXPECT_STR(said(&rig, "Basic YQ=="), "invalid authorization format"); /* a */
    EXPECT_STR(said(&rig, "Basic Y!Q="), "invalid authorization format");
    EXPECT_STR(said(&rig, "Bearer YjpzZWNyZXQ="), "invalid authorization format");
    EXPECT_EQ(rig.counts[BASIC_OK], 2);
    EXPECT_EQ(rig.counts[BASIC_REFUSED], 8);
    rig_close(&rig);
}

/* Scenario:   somebody tries passwords against a slow hash, more than two a second, while the user goes on.
 * Guarantees: what is over is refused without being computed; the user, known by then, still comes in. */
LEAT_TEST(guessing_does_not_stop_the_user)
{
    static struct rig rig;
    EXPECT_OK(rig_open(&rig, "a:" BCRYPT, 2));
    EXPECT_STR(said(&rig, "Basic YTpzZWNyZXQ="), "in"); /* a:secret */
    EXPECT_STR(said(&rig, "Basic YTpv"), "invalid credentials");
    for (int i = 0; i < 50; i++)
        EXPECT_STR(said(&rig, "Basic YTpv"), "too many attempts");
    EXPECT_EQ(rig.counts[BASIC_THROTTLED], 50);
    EXPECT_STR(said(&rig, "Basic YTpzZWNyZXQ="), "in");
    rig_close(&rig);
}

/* Scenario:   lines that are no user, a kind of hash that is not taken, settings that contradict each other.
 * Guarantees: each is refused at the start with its line, and without the hash in the message. */
LEAT_TEST(bad_users_are_refused)
{
    struct basic_auth basic = {0};
    struct leat_err err;
    EXPECT_RC(basic_auth__users_read(&basic, "a:b\nxyz\n", 8, "htpasswd::inline", &err), LEAT_ECONFIG);
    EXPECT_STR(err.text, "htpasswd::inline: line 2: is not user:hash");
    EXPECT_RC(basic_auth__users_read(&basic, "c\0d:e", 5, "htpasswd::inline", &err), LEAT_ECONFIG);
    EXPECT_STR(err.text, "htpasswd::inline: line 1: holds a NUL byte");
    EXPECT_RC(basic_auth__users_read(&basic, "a:$apr1$x", 9, "htpasswd::inline", &err), LEAT_ECONFIG);
    EXPECT(strstr(err.text, "$apr1$x") == NULL);
    basic_auth__close(&basic);
    EXPECT_RC(basic_auth__check(&(struct basic_auth_conf){.has_htpasswd = true, .has_client = true}, &err),
              LEAT_ECONFIG);
    EXPECT_RC(basic_auth__check(&(struct basic_auth_conf){.has_htpasswd = true}, &err), LEAT_ECONFIG);
    EXPECT_RC(basic_auth__check(&(struct basic_auth_conf){.has_client = true}, &err), LEAT_ECONFIG);
    EXPECT_OK(basic_auth__check(&(struct basic_auth_conf){.has_client = true, .client_auth.username = "u"}, &err));
}

/* ---- sending ---- */

struct sink {
    struct leat_header_sink ops;
    char value[300];
};
static leat_rc put(struct leat_header_sink *ops, struct leat_slice name, struct leat_slice value)
{
    struct sink *sink = (struct sink *)(void *)ops;
    EXPECT(leat_slice_is(name, "Authorization"));
    (void)snprintf(sink->value, sizeof sink->value, "%.*s", LEAT_SLICE_ARGS(value));
    return LEAT_OK;
}

/* Scenario:   a user name from the configuration, a password from a file.
 * Guarantees: the header is Basic and the base64 of both, without the line end of the file; a file that is missing is
 *             said at the start. */
LEAT_TEST(credentials_are_sent)
{
    char path[] = "/tmp/leat-basic-XXXXXX";
    int fd = mkstemp(path);
    EXPECT_EQ(write(fd, "pass\r\n", 6), 6);
    (void)close(fd);
    struct leat_host host = {.id = "basic_auth", .world = leat_world_real()};
    struct basic_auth_conf conf = {.has_client = true, .client_auth = {.username = "u", .password_file = path}};
    struct basic_auth basic = {0};
    struct leat_client_auth client = {0};
    struct sink sink = {.ops = {.put = put}};
    struct leat_err err;
    EXPECT_OK(basic_auth__open(&basic, &conf, &host, &err));
    EXPECT_OK(basic_auth__client(&basic, &client));
    EXPECT_OK(client.apply(client.state, NULL, &sink.ops, &err));
    EXPECT_STR(sink.value, "Basic dTpwYXNz");
    basic_auth__close(&basic);
    (void)unlink(path);
    basic = (struct basic_auth){0};
    EXPECT_RC(basic_auth__open(&basic, &conf, &host, &err), LEAT_EIO);
    basic_auth__close(&basic);
}

/* Scenario:   each allocation fails in turn while users are read.
 * Guarantees: an error or all users; nothing leaks. */
LEAT_TEST_OOM(users_survive_failed_allocations)
{
    static struct rig rig;
    leat_rc rc = rig_open(&rig, "a:1\nb:2\nc:3\na:4\n", 1);
    if (rc == LEAT_OK)
        EXPECT_EQ(rig.basic.user_count, 3);
    rig_close(&rig);
    return rc;
}
