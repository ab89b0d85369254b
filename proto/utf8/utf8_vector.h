/* SPDX-License-Identifier: Apache-2.0 */
/* utf8_vector -- utf8_high by vectors; each is tested equal to its scalar twin. x86-64 only. */
#pragma once
#include <stdint.h>

const uint8_t *utf8__high_sse2(const uint8_t *at, const uint8_t *end);
const uint8_t *utf8__high_avx2(const uint8_t *at, const uint8_t *end); /* call only where the CPU has it */
