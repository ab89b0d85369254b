/* SPDX-License-Identifier: Apache-2.0 */
#include "extensions/bearer_token_auth/bearer_token_auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/kit/kit.h"

struct rig {
    struct leat_world world; /* the real disk, a clock by hand */
    uint64_t now;
    struct leat_host host;
    uint64_t counts[4];
    struct bearer_token_auth bearer;
};

static uint64_t now_ns(struct leat_world *world)
{
    return LEAT_CONTAINER(world, struct rig, world)->now;
}

static leat_rc rig_open(struct rig *rig, const struct bearer_token_auth_conf *conf, struct leat_err *reterr)
{
    *rig = (struct rig){.world = {now_ns, now_ns, now_ns, leat_world_real()->disk}, .now = 5000000000ull};
    rig->host = (struct leat_host){.id = "bearer_token_auth", .world = &rig->world, .counts = rig->counts};
    return bearer_token_auth__open(&rig->bearer, conf, &rig->host, reterr);
}

static bool let_in(struct rig *rig, const char *name, const char *value)
{
    struct leat_server_auth server;
    struct leat_err err = {0};
    struct leat_header header = {leat_slice_str(name), leat_slice_str(value)};
    EXPECT_OK(bearer_token_auth__server(&rig->bearer, &server));
    leat_rc rc = server.check(server.state, (struct leat_headers){&header, 1}, &err);
    EXPECT(rc == LEAT_OK || (rc == LEAT_EAUTH && strstr(err.text, "t1") == NULL));
    return rc == LEAT_OK;
}

struct sink {
    struct leat_header_sink ops;
    char text[200];
};
static leat_rc put(struct leat_header_sink *ops, struct leat_slice name, struct leat_slice value)
{
    struct sink *sink = (struct sink *)(void *)ops;
    (void)snprintf(sink->text, sizeof sink->text, "%.*s: %.*s", LEAT_SLICE_ARGS(name), LEAT_SLICE_ARGS(value));
    return LEAT_OK;
}

static void expect_sent(struct rig *rig, const char *text)
{
    struct leat_client_auth client;
    struct sink sink = {.ops = {.put = put}};
    EXPECT_OK(bearer_token_auth__client(&rig->bearer, &client));
    EXPECT_OK(client.apply(client.state, NULL, &sink.ops, NULL));
    EXPECT_STR(sink.text, text);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    EXPECT(file != NULL);
    EXPECT(fputs(text, file) >= 0);
    EXPECT_EQ(fclose(file), 0);
}

/* Scenario:   two tokens are known; right and wrong ones, other schemes, pieces of tokens.
 * Guarantees: exactly the known ones come in; the first is the one that is sent. */
LEAT_TEST(known_tokens_come_in)
{
    static struct rig rig;
    const char *tokens[] = {"t1", "t22"};
    struct bearer_token_auth_conf conf = {.scheme = "Bearer", .header = "Authorization", .tokens = {tokens, 2}};
    EXPECT_OK(rig_open(&rig, &conf, NULL));
    EXPECT(let_in(&rig, "authorization", "Bearer t1"));
    EXPECT(let_in(&rig, "Authorization", "Bearer t22"));
    static const char *const wrong[] = {"Bearer t2", "Bearer t222", "Bearer ",  "Bearer",    "",
                                        "t1",        "Basic t1",    "Bearert1", "Bearer  t1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        EXPECT(!let_in(&rig, "Authorization", wrong[i]));
    EXPECT(!let_in(&rig, "X-Other", "Bearer t1"));
    EXPECT_EQ(rig.counts[BEARER_OK], 2);
    EXPECT_EQ(rig.counts[BEARER_REFUSED], 10);
    expect_sent(&rig, "Authorization: Bearer t1");
    bearer_token_auth__close(&rig.bearer);
}

/* Scenario:   no scheme and another header.
 * Guarantees: the token stands alone there, on both sides. */
LEAT_TEST(scheme_and_header_can_be_chosen)
{
    static struct rig rig;
    struct bearer_token_auth_conf conf = {.scheme = "", .header = "X-Key", .token = "t1"};
    EXPECT_OK(rig_open(&rig, &conf, NULL));
    EXPECT(let_in(&rig, "x-key", "t1"));
    EXPECT(!let_in(&rig, "x-key", "Bearer t1"));
    expect_sent(&rig, "X-Key: t1");
    bearer_token_auth__close(&rig.bearer);
}

/* Scenario:   the token's file is replaced, then vanishes; looked at within a second and after it.
 * Guarantees: the new token counts after a second at most and not before it is looked at; what vanished stays known;
 *             a file that was never there is an error at the start that holds its path. */
LEAT_TEST(the_file_is_read_again)
{
    static struct rig rig;
    char path[] = "/tmp/leat-token-XXXXXX";
    int fd = mkstemp(path);
    (void)close(fd);
    write_file(path, "t1\n\n  t22 \n");
    struct bearer_token_auth_conf conf = {.scheme = "Bearer", .header = "Authorization", .filename = path};
    EXPECT_OK(rig_open(&rig, &conf, NULL));
    expect_sent(&rig, "Authorization: Bearer t1");
    EXPECT(let_in(&rig, "Authorization", "Bearer t22"));
    write_file(path, "a-new-one");
    rig.now += 900000000;
    expect_sent(&rig, "Authorization: Bearer t1");
    rig.now += 200000000;
    expect_sent(&rig, "Authorization: Bearer a-new-one");
    EXPECT(!let_in(&rig, "Authorization", "Bearer t22"));
    EXPECT_EQ(rig.counts[BEARER_RELOADS], 2);
    (void)unlink(path);
    rig.now += 2000000000;
    expect_sent(&rig, "Authorization: Bearer a-new-one");
    bearer_token_auth__close(&rig.bearer);
    struct leat_err err;
    EXPECT_RC(rig_open(&rig, &conf, &err), LEAT_EIO);
    EXPECT(strstr(err.text, path) != NULL);
    bearer_token_auth__close(&rig.bearer);
}

/* Scenario:   no token at all, two kinds at once, an empty one.
 * Guarantees: refused before anything runs. */
LEAT_TEST(nonsense_is_refused)
{
    const char *tokens[] = {""};
    struct leat_err err;
    EXPECT_RC(bearer_token_auth__check(&(struct bearer_token_auth_conf){.header = "a"}, &err), LEAT_ECONFIG);
    EXPECT_RC(bearer_token_auth__check(
                  &(struct bearer_token_auth_conf){.header = "a", .token = "x", .tokens = {tokens, 1}}, &err),
              LEAT_ECONFIG);
    EXPECT_RC(bearer_token_auth__check(&(struct bearer_token_auth_conf){.header = "a", .tokens = {tokens, 1}}, &err),
              LEAT_ECONFIG);
    EXPECT_RC(bearer_token_auth__check(&(struct bearer_token_auth_conf){.header = "", .token = "x"}, &err),
              LEAT_ECONFIG);
    EXPECT_OK(bearer_token_auth__check(&(struct bearer_token_auth_conf){.header = "a", .token = "x"}, &err));
}
