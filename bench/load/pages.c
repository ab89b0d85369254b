/* SPDX-License-Identifier: Apache-2.0 */
/* pages: ten targets (/0 ... /9) of 10,000 series each in the Prometheus text format, on a port of their own choice.
 *
 * Why      what scraping costs depends on the page; this one has counters, gauges and histograms in the usual proportion.
 * Use      bench_pages [--changing]; prints "port N". With --changing each scrape finds other values of the same length.
 * Note     pages are made once; a scrape costs the writing of its bytes. Never compressed: each peer reads the same. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGES 10u
#define SERIES 10000u
#define CONNS_MAX 256u
#define HEAD_MAX 8192u
#define DIGITS 9u

struct page {
    char *at;
    size_t len, room;
    size_t values[SERIES]; /* where each value's digits begin */
    uint32_t value_count;
    uint64_t scrapes;
};
struct conn {
    char head[HEAD_MAX];
    size_t len;
};

static struct page pages[PAGES];
static struct conn conns[CONNS_MAX];
static struct pollfd polls[CONNS_MAX + 1];
static uint32_t conn_count;

static void put(struct page *page, const char *text)
{
    size_t len = strlen(text);
    if (page->room - page->len < len + 1) {
        page->room = page->room * 2 + len + 65536;
        page->at = realloc(page->at, page->room);
        if (!page->at)
            abort();
    }
    memcpy(page->at + page->len, text, len + 1);
    page->len += len;
}

static void series(struct page *page, const char *name, const char *labels, uint64_t value)
{
    char line[512];
    if (page->value_count == SERIES)
        return;
    (void)snprintf(line, sizeof line, "%s{%s} ", name, labels);
    put(page, line);
    page->values[page->value_count++] = page->len;
    (void)snprintf(line, sizeof line, "%09llu\n", (unsigned long long)(100000000 + value % 900000000));
    put(page, line);
}

static void family(struct page *page, const char *name, const char *type)
{
    const char *const words[] = {"# HELP ", name, " What ", name, " counts, in a sentence of the usual length.\n# TYPE ", name, " ", type, "\n"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        put(page, words[i]);
}

static void counters(struct page *page, unsigned f)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
    char name[64], labels[256];
    (void)snprintf(name, sizeof name, "service_%u_requests_total", f);
    family(page, name, "counter");
    for (unsigned i = 0; i < 120; i++) {
        (void)snprintf(labels, sizeof labels, "method=\"%s\",handler=\"/api/v1/resource_%u\",code=\"%u\"", methods[i % 4], i / 12, 200 + i % 12 / 4 * 100);
        series(page, name, labels, f * 1000003ull + i * 7919ull);
    }
}

static void gauges(struct page *page, unsigned f)
{
    char name[64], labels[256];
    (void)snprintf(name, sizeof name, "container_%u_memory_working_set_bytes", f);
    family(page, name, "gauge");
    for (unsigned i = 0; i < 80; i++) {
        (void)snprintf(labels, sizeof labels, "container=\"app\",namespace=\"team-%u\",pod=\"worker-%u-7d9f8c6b5-%05x\"", i % 5, i, i * 40503u % 1048576u);
        series(page, name, labels, f * 104729ull + i * 65537ull);
    }
}

static void histogram(struct page *page, unsigned f)
{
    static const char *const bounds[] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf"};
    char name[64], labels[256];
    (void)snprintf(name, sizeof name, "service_%u_duration_seconds", f);
    family(page, name, "histogram");
    for (unsigned h = 0; h < 4; h++) {
        (void)snprintf(name, sizeof name, "service_%u_duration_seconds_bucket", f);
        for (unsigned b = 0; b < 12; b++) {
            (void)snprintf(labels, sizeof labels, "handler=\"/api/v1/resource_%u\",le=\"%s\"", h, bounds[b]);
            series(page, name, labels, f * 1299709ull + b * 100ull);
        }
        (void)snprintf(labels, sizeof labels, "handler=\"/api/v1/resource_%u\"", h);
        (void)snprintf(name, sizeof name, "service_%u_duration_seconds_sum", f);
        series(page, name, labels, f * 31337ull + h);
        (void)snprintf(name, sizeof name, "service_%u_duration_seconds_count", f);
        series(page, name, labels, f * 1299709ull + 1100);
    }
}

/* The digits of every value move on; the length stays. */
static void change(struct page *page)
{
    page->scrapes++;
    for (uint32_t i = 0; i < page->value_count; i++) {
        char *digits = page->at + page->values[i];
        for (int d = (int)DIGITS - 1; d >= 1 && ++digits[d] > '9'; d--)
            digits[d] = '0';
        digits[DIGITS - 1 - page->scrapes % 3] = (char)('0' + (i + page->scrapes) % 10);
    }
}

static bool write_all(int fd, const char *at, size_t len)
{
    while (len) {
        ssize_t n = write(fd, at, len);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool answer(int fd, const char *head, bool changing)
{
    const char *slash = strchr(head, '/');
    char text[256];
    if (!slash || slash[1] < '0' || slash[1] > '9')
        return false;
    struct page *page = &pages[slash[1] - '0'];
    if (changing)
        change(page);
    int n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: %zu\r\n\r\n", page->len);
    return write_all(fd, text, (size_t)n) && write_all(fd, page->at, page->len);
}

static bool read_more(uint32_t i, bool changing)
{
    struct conn *conn = &conns[i];
    ssize_t n = read(polls[i + 1].fd, conn->head + conn->len, HEAD_MAX - 1 - conn->len);
    if (n <= 0)
        return false;
    conn->len += (size_t)n;
    conn->head[conn->len] = 0;
    if (!strstr(conn->head, "\r\n\r\n"))
        return conn->len < HEAD_MAX - 1;
    conn->len = 0;
    return answer(polls[i + 1].fd, conn->head, changing);
}

static void serve(bool changing)
{
    for (;;) {
        if (poll(polls, conn_count + 1, -1) <= 0)
            continue;
        for (uint32_t i = 0; i < conn_count;) {
            if (polls[i + 1].revents && !read_more(i, changing)) {
                close(polls[i + 1].fd);
                conn_count--;
                polls[i + 1] = polls[conn_count + 1];
                conns[i] = conns[conn_count];
                continue;
            }
            i++;
        }
        int fd = polls[0].revents ? accept(polls[0].fd, NULL, NULL) : -1;
        if (fd >= 0 && conn_count < CONNS_MAX) {
            conns[conn_count].len = 0;
            polls[++conn_count] = (struct pollfd){.fd = fd, .events = POLLIN};
        } else if (fd >= 0)
            close(fd);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    bool changing = argc > 1 && strcmp(argv[1], "--changing") == 0;
    for (unsigned p = 0; p < PAGES; p++)
        for (unsigned f = 0; pages[p].value_count < SERIES; f++) {
            counters(&pages[p], f);
            gauges(&pages[p], f);
            histogram(&pages[p], f);
        }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 128) || getsockname(fd, (struct sockaddr *)&address, &size))
        return 1;
    printf("port %u\n", ntohs(address.sin_port));
    fflush(stdout);
    polls[0] = (struct pollfd){.fd = fd, .events = POLLIN};
    serve(changing);
    return 0;
}
