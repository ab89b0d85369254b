/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "agent/base/check.h"
#include "proto/cri/cri.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct cri_line line;
    const char *text = (const char *)at;
    char *scratch = malloc(len ? len : 1); /* exactly sized */
    if (cri_parse(text, (uint32_t)len, &line))
        LEAT_CHECK(line.text.at + line.text.len == at + len && line.stream.len == 6);
    if (scratch && cri_parse_docker(text, (uint32_t)len, scratch, &line))
        LEAT_CHECK(line.text.len <= len);
    (void)cri_detect(text, (uint32_t)len);
    free(scratch);
    return 0;
}
