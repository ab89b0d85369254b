/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_locate -- says in words where in a request an offset is, for error texts.
 *
 * Why      the fast walks keep no path; when one fails, a second and slow walk finds it.
 * Threads  pure, over a borrowed chain, which may be malformed. */
#pragma once
#include "proto/otlp/otlp_schema.h"

/* "resource_logs[3].scope_logs[0].log_records[7].trace_id"; the offset is that of a field's tag. */
void otlp_locate(const struct otlp_msg *root, const struct leat_chain *payload, uint64_t offset, char *text,
                 size_t room);
