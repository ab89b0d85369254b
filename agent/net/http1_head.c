/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/http1_head.h"

#define LENGTH_DIGITS_MAX 18u /* below 2^63: no sum of lengths overflows */
#define METHOD_BYTES_MAX 32u
#define ROOM_FIRST 1024u

enum { TOKEN = 1, VALUE = 2, TARGET = 4, HOST = 8 };
#define TVH (TOKEN | VALUE | TARGET | HOST)
#define VT (VALUE | TARGET)
static const uint8_t kinds[256] = {
    ['\t'] = VALUE,       [' '] = VALUE,      ['!'] = TVH,         ['"'] = VALUE,      ['#'] = TOKEN | VALUE,
    ['$' ... '\''] = TVH, ['('] = VT | HOST,  [')'] = VT | HOST,   ['*'] = TVH,        ['+'] = TVH,
    [','] = VT,           ['-'] = TVH,        ['.'] = TVH,         ['/'] = VT,         ['0' ... '9'] = TVH,
    [':'] = VT | HOST,    [';'] = VT | HOST,  ['<'] = VALUE,       ['='] = VT | HOST,  ['>'] = VALUE,
    ['?'] = VT,           ['@'] = VT,         ['A' ... 'Z'] = TVH, ['['] = VT | HOST,  ['\\'] = VALUE,
    [']'] = VT | HOST,    ['^'] = TOKEN | VT, ['_'] = TVH,         ['`'] = TOKEN | VT, ['a' ... 'z'] = TVH,
    ['{'] = VT,           ['|'] = TOKEN | VT, ['}'] = VT,          ['~'] = TVH,        [0x80 ... 0xff] = VALUE,
};

static uint32_t span(const uint8_t *at, uint32_t len, uint8_t kind)
{
    uint32_t n = 0;
    while (n < len && (kinds[at[n]] & kind))
        n++;
    return n;
}

bool leat_http1__is_token(struct leat_slice s)
{
    return s.len && span(s.at, s.len, TOKEN) == s.len;
}
bool leat_http1__is_value(struct leat_slice s)
{
    return span(s.at, s.len, VALUE) == s.len;
}

enum leat_http1_found leat_http1__scan(const uint8_t *text, uint32_t len, struct leat_http1_scan *scan)
{
    for (;;) {
        const uint8_t *lf = memchr(text + scan->at, '\n', len - scan->at);
        if (!lf) {
            scan->at = len;
            return LEAT_HEAD_MORE;
        }
        uint32_t end = (uint32_t)(lf - text);
        if (end == scan->line_at || lf[-1] != '\r')
            return LEAT_HEAD_BAD;
        bool empty = end == scan->line_at + 1;
        scan->at = scan->line_at = end + 1;
        if (empty)
            return scan->lines ? LEAT_HEAD_WHOLE : LEAT_HEAD_BAD;
        scan->lines++;
    }
}

leat_rc leat_http1__gather(struct leat_mem **io_head, uint32_t *io_len, struct leat_slice bytes)
{
    struct leat_mem *head = *io_head;
    uint32_t need = *io_len + bytes.len, room = ROOM_FIRST;
    if (!head || head->size < need) {
        while (room < need)
            room *= 2;
        head = leat_mem_new(room);
        if (!head)
            return LEAT_ENOMEM;
        if (*io_len)
            memcpy(head->at, (*io_head)->at, *io_len);
        leat_mem_unref(*io_head);
        *io_head = head;
    }
    if (bytes.len)
        memcpy(head->at + *io_len, bytes.at, bytes.len);
    *io_len = need;
    return LEAT_OK;
}

/* ---- what headers mean for framing ---- */

static bool is(struct leat_slice s, const char *lower)
{
    return leat_slice_ieq(s, leat_slice_str(lower));
}

static struct leat_slice trim(struct leat_slice s)
{
    while (s.len && (s.at[0] == ' ' || s.at[0] == '\t'))
        s.at++, s.len--;
    while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static bool read_length(struct leat_slice text, uint64_t *ret_length)
{
    uint64_t value = 0;
    if (text.len == 0 || text.len > LENGTH_DIGITS_MAX)
        return false;
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.at[i] - '0');
    }
    *ret_length = value;
    return true;
}

static int take_length(struct leat_http1_head *head, struct leat_slice value)
{
    if (head->has_length || !read_length(value, &head->content_length))
        return 400;
    head->has_length = true;
    return 0;
}

static int take_coding(struct leat_http1_head *head, struct leat_slice value)
{
    if (head->chunked || head->minor == 0)
        return 400;
    if (!is(value, "chunked"))
        return 501;
    head->chunked = true;
    return 0;
}

static void take_connection(struct leat_http1_head *head, struct leat_slice value)
{
    while (value.len) {
        const uint8_t *comma = memchr(value.at, ',', value.len);
        uint32_t n = comma ? (uint32_t)(comma - value.at) : value.len;
        struct leat_slice option = trim(leat_slice_of(value.at, n));
        if (is(option, "close"))
            head->close = true;
        else if (is(option, "keep-alive"))
            head->keep_alive = true;
        uint32_t skip = comma ? n + 1 : n;
        value = leat_slice_of(value.at + skip, value.len - skip);
    }
}

static int interpret(struct leat_http1_head *head, const struct leat_header *header)
{
    switch (header->name.len) {
    case 6:
        if (is(header->name, "expect")) {
            head->expect_continue = is(header->value, "100-continue");
            return head->expect_continue || head->status ? 0 : 417;
        }
        return 0;
    case 10:
        if (is(header->name, "connection"))
            take_connection(head, header->value);
        return 0;
    case 14:
        return is(header->name, "content-length") ? take_length(head, header->value) : 0;
    case 17:
        return is(header->name, "transfer-encoding") ? take_coding(head, header->value) : 0;
    default:
        return 0;
    }
}

/* ---- lines ---- */

struct text {
    const uint8_t *at, *end;
};

static struct leat_slice take_line(struct text *text) /* the scan has seen to it that each ends in CR LF */
{
    const uint8_t *lf = memchr(text->at, '\n', (size_t)(text->end - text->at));
    struct leat_slice line = leat_slice_of(text->at, (uint32_t)(lf - text->at) - 1);
    text->at = lf + 1;
    return line;
}

static int parse_header(struct leat_slice line, struct leat_header *ret_header)
{
    uint32_t name = span(line.at, line.len, TOKEN);
    if (name == 0 || name == line.len || line.at[name] != ':')
        return 400;
    struct leat_slice value = trim(leat_slice_of(line.at + name + 1, line.len - name - 1));
    if (!leat_http1__is_value(value))
        return 400;
    *ret_header = (struct leat_header){leat_slice_of(line.at, name), value};
    return 0;
}

static int parse_headers(struct text *text, struct leat_header *room, struct leat_http1_head *head)
{
    uint32_t count = 0;
    for (struct leat_slice line; (line = take_line(text)).len; count++) {
        int status = parse_header(line, &room[count]);
        if (status == 0)
            status = interpret(head, &room[count]);
        if (status)
            return status;
    }
    head->headers = (struct leat_headers){room, count};
    return head->chunked && head->has_length ? 400 : 0;
}

/* ---- requests ---- */

static int parse_version(struct leat_slice text, int *ret_minor)
{
    if (text.len != 8 || memcmp(text.at, "HTTP/", 5) != 0 || text.at[6] != '.' || text.at[5] < '0' ||
        text.at[5] > '9' || text.at[7] < '0' || text.at[7] > '9')
        return 400;
    if (text.at[5] != '1')
        return 505;
    *ret_minor = text.at[7] == '0' ? 0 : 1;
    return 0;
}

static bool is_target(const struct leat_http1_head *head)
{
    struct leat_slice t = head->target;
    if (t.len == 0 || span(t.at, t.len, TARGET) != t.len)
        return false;
    if (t.at[0] == '/')
        return true;
    if (leat_slice_is(t, "*"))
        return leat_slice_is(head->method, "OPTIONS");
    return (t.len > 7 && is(leat_slice_of(t.at, 7), "http://")) ||
           (t.len > 8 && is(leat_slice_of(t.at, 8), "https://"));
}

static int parse_request_line(struct leat_slice line, struct leat_http1_head *head)
{
    const uint8_t *first = memchr(line.at, ' ', line.len);
    const uint8_t *last = memrchr(line.at, ' ', line.len);
    if (!first || first == last)
        return 400;
    head->method = leat_slice_of(line.at, (uint32_t)(first - line.at));
    head->target = leat_slice_of(first + 1, (uint32_t)(last - first - 1));
    if (!leat_http1__is_token(head->method) || head->method.len > METHOD_BYTES_MAX)
        return 400;
    int status = parse_version(leat_slice_of(last + 1, (uint32_t)(line.at + line.len - last - 1)), &head->minor);
    if (status)
        return status;
    if (leat_slice_is(head->method, "CONNECT"))
        return 501; /* no tunnels here */
    return is_target(head) ? 0 : 400;
}

static int check_host(const struct leat_http1_head *head) /* one, whatever it says; HTTP/1.0 may have none */
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < head->headers.count; i++) {
        const struct leat_header *h = &head->headers.at[i];
        if (h->name.len != 4 || !is(h->name, "host"))
            continue;
        seen++;
        if (span(h->value.at, h->value.len, HOST) != h->value.len)
            return 400;
    }
    return seen > 1 || (seen == 0 && head->minor > 0) ? 400 : 0;
}

int leat_http1__parse_request(const uint8_t *text, uint32_t len, struct leat_header *room,
                              struct leat_http1_head *ret_head)
{
    struct leat_http1_head head = {0};
    struct text left = {text, text + len};
    int status = parse_request_line(take_line(&left), &head);
    if (status == 0)
        status = parse_headers(&left, room, &head);
    if (status == 0)
        status = check_host(&head);
    *ret_head = head; /* also when refused: the minor version and the method matter for the answer */
    return status;
}

/* ---- responses ---- */

static bool parse_status_line(struct leat_slice line, struct leat_http1_head *head)
{
    if (line.len < 12 || parse_version(leat_slice_of(line.at, 8), &head->minor) != 0 || line.at[8] != ' ')
        return false;
    for (int i = 9; i < 12; i++) {
        if (line.at[i] < '0' || line.at[i] > '9')
            return false;
        head->status = head->status * 10 + (line.at[i] - '0');
    }
    if (line.len > 12 && line.at[12] != ' ')
        return false;
    return head->status >= 100 && leat_http1__is_value(leat_slice_of(line.at + 12, line.len - 12));
}

bool leat_http1__parse_response(const uint8_t *text, uint32_t len, struct leat_header *room,
                                struct leat_http1_head *ret_head)
{
    struct leat_http1_head head = {0};
    struct text left = {text, text + len};
    if (!parse_status_line(take_line(&left), &head) || parse_headers(&left, room, &head) != 0)
        return false;
    *ret_head = head;
    return true;
}

const char *leat_http1__reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {
        {100, "Continue"},
        {200, "OK"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Unknown";
}
