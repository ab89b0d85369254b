/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/http.h"

struct leat_slice leat_headers_get(struct leat_headers headers, const char *name)
{
    struct leat_slice wanted = leat_slice_str(name);
    for (uint32_t i = 0; i < headers.count; i++)
        if (leat_slice_ieq(headers.at[i].name, wanted))
            return headers.at[i].value;
    return (struct leat_slice){0};
}

const char *const leat_coding_names[] = {"none", "gzip",    "zstd", "snappy", "x-snappy-framed",
                                         "zlib", "deflate", "lz4",  NULL};
