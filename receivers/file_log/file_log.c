/* SPDX-License-Identifier: Apache-2.0 */
#include "receivers/file_log/file_log.h"

#include "receivers/receiver.h"

const struct leat_counter_def file_log__counters[] = {
    [FILE_LOG_OPENED] = {"file_log_files_opened_total", "", "files opened; minus closed: open now"},
    [FILE_LOG_CLOSED] = {"file_log_files_closed_total", "", "files closed"},
    [FILE_LOG_SEEN] = {"file_log_files_seen_total", "", "files found that were not known"},
    [FILE_LOG_ROTATED] = {"file_log_files_renamed_total", "", "known files found under another name"},
    [FILE_LOG_TRUNCATED] = {"file_log_files_truncated_total", "", "files that shrank or whose content was replaced"},
    [FILE_LOG_LOST_BYTES] = {"file_log_lost_bytes_total", "",
                             "bytes truncated away before they became records, as far as known"},
    [FILE_LOG_REUSED] = {"file_log_inodes_reused_total", "", "remembered positions that belonged to another file"},
    [FILE_LOG_NOT_REGULAR] = {"file_log_not_regular_total", "",
                              "matched paths that are no regular file, each time seen"},
    [FILE_LOG_COMPRESSED] = {"file_log_compressed_files_total", "", "files not read because they are gzip"},
    [FILE_LOG_ERRORS] = {"file_log_io_errors_total", "", "failed opens and reads"},
    [FILE_LOG_BYTES] = {"file_log_read_bytes_total", "", "bytes read, each once"},
    [FILE_LOG_SPLIT] = {"file_log_lines_over_limit_total", "action=\"split\"", "lines over max_log_size"},
    [FILE_LOG_CUT] = {"file_log_lines_over_limit_total", "action=\"truncate\"", "lines over max_log_size"},
    [FILE_LOG_REPAIRED] = {"file_log_lines_repaired_total", "", "records whose invalid UTF-8 was replaced"},
    [FILE_LOG_NULS] = {"file_log_nul_bytes_skipped_total", "", "NUL bytes before a line"},
    [FILE_LOG_BAD_FORMAT] = {"file_log_bad_format_total", "", "lines in no container format, sent as they are"},
    [FILE_LOG_JOINED] = {"file_log_lines_joined_total", "", "lines and parts that became part of a record"},
    [FILE_LOG_UNFINISHED] = {"file_log_partials_flushed_total", "",
                             "partial lines sent without their end: time or size"},
    [FILE_LOG_UNTERMINATED] = {"file_log_unterminated_lines_total", "", "ends of files sent without a newline"},
    [FILE_LOG_REGEX_LIMIT] = {"file_log_regex_limit_total", "", "searches given up at the limit of steps"},
    [FILE_LOG_WAITED] = {"file_log_polls_waiting_total", "",
                         "polls that read nothing: too much unacknowledged, or no room"},
    [FILE_LOG_SAVES] = {"file_log_checkpoints_total", "result=\"ok\"", "positions saved"},
    [FILE_LOG_SAVE_FAILED] = {"file_log_checkpoints_total", "result=\"failed\"", "positions saved"},
    [FILE_LOG_UNWATCHED] = {"file_log_watches_refused_total", "", "folders that could not be watched: polled only"},
    {NULL, NULL, NULL},
};

static const char *const aliases[] = {"filelog", NULL};

LEAT_RECEIVER(file_log, .summary = "log files, tailed: container logs of pods, plain and multi-line files",
              .aliases = aliases, .signals = LEAT_SIGNAL_BIT(LEAT_LOGS), .forms = LEAT_FORM_OTLP,
              .conf_size = sizeof(struct file_log_conf), .state_size = sizeof(struct file_log),
              .fields = file_log__fields, .counters = file_log__counters, .check = file_log__check,
              .patient = true, .start = file_log__start, .pause = file_log__pause, .resume = file_log__resume, .stop = file_log__stop,
              .dump = file_log__dump, .close = file_log__close);
