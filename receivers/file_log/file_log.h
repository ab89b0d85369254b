/* SPDX-License-Identifier: Apache-2.0 */
/* file_log -- follows log files and turns their lines into OTLP log records; private to this folder.
 *
 * Why      a line is copied once: from the read buffer into the record. A position moves when its records are final.
 * Threads  one state per shard; a file belongs to the shard its device and inode hash to.
 * Owns     the state owns its files; a file lives until it left the disk and every range of it is final.
 * Limits   max_concurrent_files descriptors, max_inflight_bytes unacknowledged, max_held_bytes in unfinished records.
 * Fails    a failed allocation or read ends the turn at a line's start; the next poll goes on there. */
#pragma once
#include <sys/types.h>

#include "agent/base/regex.h"
#include "agent/base/field.h"
#include "agent/base/list.h"
#include "agent/base/strbuf.h"
#include "agent/pipe/host.h"

enum file_log_row {
    FILE_LOG_OPENED,
    FILE_LOG_CLOSED,
    FILE_LOG_SEEN,
    FILE_LOG_ROTATED,
    FILE_LOG_TRUNCATED,
    FILE_LOG_LOST_BYTES,
    FILE_LOG_REUSED,
    FILE_LOG_NOT_REGULAR,
    FILE_LOG_COMPRESSED,
    FILE_LOG_ERRORS,
    FILE_LOG_BYTES,
    FILE_LOG_SPLIT,
    FILE_LOG_CUT,
    FILE_LOG_REPAIRED,
    FILE_LOG_NULS,
    FILE_LOG_BAD_FORMAT,
    FILE_LOG_JOINED,
    FILE_LOG_UNFINISHED,
    FILE_LOG_UNTERMINATED,
    FILE_LOG_REGEX_LIMIT,
    FILE_LOG_WAITED,
    FILE_LOG_SAVES,
    FILE_LOG_SAVE_FAILED,
    FILE_LOG_UNWATCHED,
};
extern const struct leat_counter_def file_log__counters[];

/* ---- configuration ---- */

enum { FILE_LOG_END, FILE_LOG_BEGINNING };
enum { FILE_LOG_SPLIT_LONG, FILE_LOG_TRUNCATE_LONG };
enum file_log_encoding { FILE_LOG_UTF8, FILE_LOG_RAW, FILE_LOG_NOP, FILE_LOG_ASCII };
enum { FILE_LOG_READ_NEW, FILE_LOG_READ_WHOLE, FILE_LOG_IGNORE };
enum { FILE_LOG_AUTO, FILE_LOG_DOCKER, FILE_LOG_CRIO, FILE_LOG_CONTAINERD };
enum { FILE_LOG_OLDEST, FILE_LOG_NEWEST };

struct file_log_operator { /* one row of `operators`; which keys mean something depends on type */
    const char *type, *id, *output;
    int on_error;
    int format;
    bool add_metadata;
    int64_t max_log_size;
    const char *is_first_entry, *is_last_entry, *combine_field, *combine_with, *source_identifier;
    int64_t max_batch_size, max_unmatched_batch_size, force_flush_period, max_sources;
    int overwrite_with;
    const char *field, *from, *to;
    struct leat_value value;
};

struct file_log_conf {
    struct leat_strings include, exclude;
    int64_t exclude_older_than, poll_interval, force_flush_period;
    int start_at, max_log_size_behavior, on_truncate;
    int64_t max_concurrent_files, max_batches, fingerprint_size, initial_buffer_size, max_log_size;
    const char *encoding, *compression;
    struct {
        bool present;
        const char *line_start_pattern, *line_end_pattern;
        bool omit_pattern;
    } multiline;
    bool preserve_leading, preserve_trailing;
    bool include_file_name, include_file_path, include_file_permissions, include_file_record_number,
        include_file_record_offset;
    struct leat_map attributes, resource;
    const char *storage;
    int64_t polls_to_archive;
    bool follow_symlinks;
    struct leat_items operators;
    int64_t max_inflight_bytes, max_batch_bytes, max_batch_records, max_held_bytes;
};
extern const struct leat_field file_log__fields[];
leat_rc file_log__check(const void *conf, struct leat_err *reterr);
enum file_log_encoding file_log__encoding(const struct file_log_conf *conf);

/* Where a field expression points: attributes["x"], resource.x, body. */
enum file_log_place { FILE_LOG_BODY, FILE_LOG_ATTRIBUTE, FILE_LOG_RESOURCE };
struct file_log_field_ref {
    enum file_log_place place;
    const char *key; /* into the expression */
    uint32_t key_len;
};
bool file_log__field_parse(const char *text, struct file_log_field_ref *ret_ref);
/* `body matches "regex"` and `attributes.logtag == 'F'`; anything else is refused. */
enum file_log_test { FILE_LOG_TEST_NONE, FILE_LOG_TEST_MATCHES, FILE_LOG_TEST_LOGTAG };
leat_rc file_log__test_parse(const char *text, enum file_log_test *ret_test, char *ret_arg, size_t room,
                             struct leat_err *reterr);

struct file_log;
/* Where the pattern matches; false: it does not. A search that hits a limit is counted and does not match. */
bool file_log__matches(struct file_log *state, struct leat_regex *regex, struct leat_slice text,
                       struct leat_slice *ret_match);

/* ---- globs ---- */
bool file_log__glob_match(const char *pattern, const char *path);            /* a whole path, with ** */
bool file_log__glob_part(const char *pattern, size_t len, const char *name); /* one component */
leat_rc file_log__glob_check(const char *pattern, struct leat_err *reterr);
/* Calls `each` for every path that matches and can be stat'ed. */
void file_log__glob_walk(struct leat_world *world, const char *pattern, bool follow,
                         void (*each)(void *ctx, const char *path, const struct leat_stat *st), void *ctx);

/* ---- files ---- */

#define FILE_LOG_STREAMS 3u /* none, stdout, stderr */
#define FILE_LOG_MARKER 64u
#define FILE_LOG_TAG_MAX 16u
#define FILE_LOG_KEY_MAX 64u
#define FILE_LOG_PATTERN_MAX 4096u

/* A record that is not complete yet: parts of a line (stage 0), lines of a record (stage 1). */
struct file_log_held {
    uint8_t *at;
    uint32_t len, room, count;
    bool active, matched, ended;
    char tag[FILE_LOG_TAG_MAX];
    uint64_t from, time_ns, touched_ns;
};

struct file_log_folder;

struct file_log_file {
    struct leat_list link;          /* state->files */
    struct leat_list ranges;        /* file_log_range, oldest first: not final yet */
    struct file_log_file *next;     /* hash chain */
    struct file_log_folder *folder; /* file_log_watch.c; NULL: not watched */
    char *path, *name;              /* where it is now; where it was found: what records say */
    uint64_t dev, ino, size, mtime_ns;
    uint64_t read_to;   /* the end of what was read, unfinished line included */
    int fd;             /* -1: closed */
    bool known;         /* identity was verified against the disk in this life of the process */
    bool seen, watched; /* in this scan; in the last one, or remembered from before the start */
    bool gone;          /* truncated away: only its ranges are still wanted */
    bool ignored;       /* compressed: not for us */
    size_t scanned;     /* multiline: bytes of the record at `offset` that were looked at */
    bool unfinished;    /* reading stopped before the end of what was read: flow control */
    bool skipping;      /* inside a line that was cut: up to its newline */
    uint32_t mode, fp_len;
    uint64_t fp_hash;
    uint64_t offset;                 /* what was read and turned into records, or is held */
    uint64_t final;                  /* the position: everything before it has met its end */
    uint8_t marker[FILE_LOG_MARKER]; /* the bytes before `offset` */
    uint32_t marker_len;
    uint64_t grown_ns, seen_ns, loaded_ns, record_number;
    struct file_log_held held[2][FILE_LOG_STREAMS];
    uint8_t *resource, *attributes; /* encoded once; NULL until the first record */
    uint32_t resource_len, attributes_len;
};

/* What one batch says about one file. */
struct file_log_range {
    struct leat_list link;             /* file->ranges */
    struct file_log_range *batch_next; /* the others of the same batch */
    struct file_log_file *file;
    uint64_t to;
    bool building, done; /* its batch is not emitted yet; is final */
};

struct file_log;
struct file_log_pending { /* a batch that was emitted and is not final */
    struct leat_ack ack;
    struct file_log *state;
    struct leat_list link;
    struct file_log_range *ranges;
    uint64_t bytes;
};

/* The batch being built; see file_log_put.c. */
struct file_log_out {
    struct leat_chain chain;
    struct leat_mem *page;
    uint32_t used, segment; /* in `page`: bytes written, where the bytes not yet in the chain begin */
    uint32_t items;
    struct file_log_range *ranges;
    struct file_log_file *file; /* whose group is open; NULL: none */
    uint32_t first_slice;       /* of the group, once pushed; UINT32_MAX before */
    uint32_t head_room;
    uint64_t group_bytes, bytes, copied;
};

struct file_log_record {
    const uint8_t *body;
    uint32_t len;
    uint8_t stream;   /* 0 none, 1 stdout, 2 stderr */
    const char *tag;  /* logtag; NULL: none */
    uint64_t time_ns; /* 0: unknown */
    uint64_t from;    /* offset of its first byte */
};

struct file_log {
    const struct file_log_conf *conf;
    struct leat_host *host;
    enum file_log_encoding encoding;
    const struct file_log_operator *container, *recombine;
    struct leat_regex *line_start, *line_end, *entry;
    enum file_log_test entry_test;
    char entry_tag[FILE_LOG_TAG_MAX];
    struct leat_storage *storage;

    struct leat_list files;
    struct file_log_file **buckets;
    uint32_t bucket_count, file_count, open_count;
    uint8_t *buf;
    size_t buf_room;
    char *scratch; /* Docker's text, unescaped */
    size_t scratch_room;
    struct file_log_out out;
    struct file_log_pending *waiting; /* built, refused with AGAIN */
    struct leat_batch *waiting_batch;
    struct leat_list inflight;
    uint64_t inflight_bytes, held_bytes, observed_ns;
    struct leat_timer poll, soon; /* every poll_interval; sooner, when a watched folder changed */
    struct leat_list folders;
    uint32_t folder_count;
    uint64_t bytes_before; /* FILE_LOG_BYTES at the last poll */
    bool unwatched;
    uint64_t saved_ns;
    struct leat_task turn;
    bool scanned_once, paused, stopping, dirty;
    void (*stopped)(void *ctx);
    void *stopped_ctx;
    struct leat_log_limit limit_open, limit_read, limit_save, limit_format, limit_regular;
    uint8_t stream_attr[FILE_LOG_STREAMS][128]; /* log.iostream, encoded */
    uint32_t stream_attr_len[FILE_LOG_STREAMS];
    char tag_key[FILE_LOG_KEY_MAX], number_key[FILE_LOG_KEY_MAX],
        offset_key[FILE_LOG_KEY_MAX]; /* after move; empty: removed */
};

static inline void file_log__count(struct file_log *state, enum file_log_row row, uint64_t n)
{
    leat_host_count(state->host, row, n);
}

/* file_log_find.c */
void file_log__scan(struct file_log *state);
struct file_log_file *file_log__file_new(struct file_log *state, const char *path, uint64_t dev, uint64_t ino);
void file_log__file_free(struct file_log *state, struct file_log_file *file);
struct file_log_file *file_log__file_find(const struct file_log *state, uint64_t dev, uint64_t ino);
leat_rc file_log__file_open(struct file_log *state, struct file_log_file *file); /* and verifies who it is */
void file_log__found(struct file_log *state, const char *path, const struct leat_stat *st, bool whole);
/* The same inode, other content: it is read from its start again. */
leat_rc file_log__file_restart(struct file_log *state, struct file_log_file *file);
void file_log__fingerprint_grow(struct file_log *state, struct file_log_file *file);
bool file_log__same_head(struct file_log *state, struct file_log_file *file);
void file_log__file_shut(struct file_log *state, struct file_log_file *file);
uint64_t file_log__safe(const struct file_log_file *file);                   /* before it nothing is held */
void file_log__siblings(struct file_log *state, struct file_log_file *file); /* file_log_siblings.c */
bool file_log__mine(const struct file_log *state, uint64_t dev, uint64_t ino);

/* file_log_read.c */
leat_rc file_log__start(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr);
void file_log__pause(void *state);
void file_log__resume(void *state);
void file_log__stop(void *state, void (*stopped)(void *ctx), void *ctx);
void file_log__close(void *state);
void file_log__dump(const void *state, struct leat_strbuf *out);
bool file_log__may_read(const struct file_log *state);
/* Positions may have moved, or room was made. */
void file_log__wake(struct file_log *state);

/* file_log_watch.c: wakes the poll early; may do nothing. */
void file_log__watch_join(struct file_log *state, struct file_log_file *file);
void file_log__watch_leave(struct file_log *state, struct file_log_file *file);
void file_log__watch_arm(struct file_log *state);

/* file_log_lines.c: cuts [at, at+len), which begins at file->offset, into lines; *ret_used bytes are done with. */
leat_rc file_log__lines(struct file_log *state, struct file_log_file *file, const uint8_t *at, size_t len, bool at_end,
                        size_t *ret_used);

/* file_log_container.c, file_log_recombine.c: a line's way. LEAT_OK, or a failed allocation that changed nothing. */
leat_rc file_log__line(struct file_log *state, struct file_log_file *file, const uint8_t *at, uint32_t len,
                       uint64_t from);
leat_rc file_log__recombine(struct file_log *state, struct file_log_file *file, const struct file_log_record *record);

/* file_log_held.c: what is not complete yet. */
bool file_log__held_fits(const struct file_log *state, const struct file_log_held *held, uint64_t len, int64_t limit);
/* The first part makes it active; `newest`: time and tag become the record's. */
leat_rc file_log__held_put(struct file_log *state, struct file_log_held *held, const struct file_log_record *record,
                           const char *with, bool newest);
void file_log__held_done(struct file_log *state, struct file_log_held *held);
leat_rc file_log__held_flush(struct file_log *state, struct file_log_file *file, uint32_t stage, uint32_t stream);
/* Flushes what waited longer than its period, or all. */
leat_rc file_log__held_tick(struct file_log *state, struct file_log_file *file, uint64_t now_ns, bool all);

/* file_log_describe.c: resource and attributes of a file, encoded. */
leat_rc file_log__describe(struct file_log *state, struct file_log_file *file);
void file_log__describe_records(struct file_log *state);

/* file_log_put.c */
leat_rc file_log__put(struct file_log *state, struct file_log_file *file, const struct file_log_record *record);
void file_log__out_flush(struct file_log *state); /* emits what was built, if anything */
bool file_log__out_full(const struct file_log *state);
void file_log__out_drop(struct file_log *state);
bool file_log__emit_waiting(struct file_log *state); /* false: still no room */
void file_log__range_settle(struct file_log *state, struct file_log_file *file);

/* file_log_checkpoint.c */
leat_rc file_log__load(struct file_log *state, struct leat_err *reterr);
void file_log__save(struct file_log *state);
