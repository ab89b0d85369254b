/* SPDX-License-Identifier: Apache-2.0 */
/* bench_sink -- where a measured agent delivers to: OTLP over HTTP/1.1 and gRPC (without TLS), and Loki pushes.
 * Counts what arrives; GET /stats says it, POST /reset forgets it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "bench/sink/server.h"

static const char usage[] = "bench_sink --port N [--port N ...] [--verify] [--status-every N:CODE] [--delay-ms N]\n"
                            "  --port N            listen on 127.0.0.1:N; 0 takes a free one; each is printed\n"
                            "  --verify            note every line's \"seq=N\": distinct, repeated, missing\n"
                            "  --status-every N:C  answer every N-th request with HTTP (or, up to 16, gRPC) status C\n"
                            "  --delay-ms N        let every answer wait\n"
                            "GET /stats answers the counts as JSON, POST /reset sets them to zero.\n";

static const struct option options[] = {
    {"port", required_argument, NULL, 'p'},
    {"verify", no_argument, NULL, 'v'},
    {"status-every", required_argument, NULL, 's'},
    {"delay-ms", required_argument, NULL, 'd'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static bool listen_on(struct bench_server *server, const char *text)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    int got = *end || port > 65535 ? -1 : bench_server_listen(server, (uint16_t)port);
    if (got < 0) {
        fprintf(stderr, "bench_sink: cannot listen on port %s: %s\n", text, strerror(errno));
        return false;
    }
    printf("port %d\n", got);
    fflush(stdout);
    return true;
}

static bool fault_set(struct bench_judge_options *to, const char *text)
{
    char *end;
    to->status_every = strtoull(text, &end, 10);
    if (*end != ':')
        return false;
    to->status = (int)strtol(end + 1, &end, 10);
    return *end == 0 && to->status_every > 0 && to->status > 0 && to->status < 600;
}

static bool option_take(struct bench_server *server, int option, const char *value)
{
    struct bench_judge_options *to = &server->judge.options;
    switch (option) {
    case 'p':
        return listen_on(server, value);
    case 'v':
        to->verify = true;
        return true;
    case 's':
        return fault_set(to, value);
    case 'd':
        to->delay_ms = strtoull(value, NULL, 10);
        return true;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static struct bench_server server;
    bool ready = false;
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    bench_tally_reset(&server.judge.tally);
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (!option_take(&server, option, optarg)) {
            fputs(usage, stderr);
            return 2;
        }
        ready = ready || option == 'p';
    }
    if (!ready) {
        fputs(usage, stderr);
        return 2;
    }
    bench_server_run(&server);
    return 0;
}
