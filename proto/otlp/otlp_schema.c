/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_schema.h"

#include <string.h>

#include "proto/protobuf/pb_read.h"

#include "proto/otlp/otlp_schema.def"

enum wire_of_kind {
    WIRE_MSG = PB_LEN,
    WIRE_STRING = PB_LEN,
    WIRE_BYTES = PB_LEN,
    WIRE_ID16 = PB_LEN,
    WIRE_ID8 = PB_LEN,
    WIRE_BOOL = PB_VARINT,
    WIRE_ENUM = PB_VARINT,
    WIRE_UINT32 = PB_VARINT,
    WIRE_INT32 = PB_VARINT,
    WIRE_SINT32 = PB_VARINT,
    WIRE_UINT64 = PB_VARINT,
    WIRE_INT64 = PB_VARINT,
    WIRE_FIXED32 = PB_FIXED32,
    WIRE_FIXED64 = PB_FIXED64,
    WIRE_SFIXED64 = PB_FIXED64,
    WIRE_DOUBLE = PB_FIXED64,
    WIRE_PACKED_INT32 = PB_LEN,
    WIRE_PACKED_INT64 = PB_LEN,
    WIRE_PACKED_UINT64 = PB_LEN,
    WIRE_PACKED_FIXED64 = PB_LEN,
    WIRE_PACKED_DOUBLE = PB_LEN,
};

#define COUNTS(flags) ((flags)&OTLP_ITEM ? 1 : (flags)&OTLP_SAMPLE ? 2 : 0)
#define INDEX(M, num, id, json_name, type, flag, sub) M##_##id,
#define TAG_ENTRY(M, num, id, json_name, type, flag, sub) [PB_TAG(num, WIRE_##type)] = M##_##id + 1,
#define ROW(M, num, id, json_name, type, flag, sub) \
    {.json = json_name,                             \
     .name = #id,                                   \
     .json_len = sizeof json_name - 1,              \
     .name_len = sizeof #id - 1,                    \
     .number = num,                                 \
     .kind = OTLP_##type,                           \
     .flags = flag,                                 \
     .wire = (uint8_t)WIRE_##type,                  \
     .counts = COUNTS(flag),                        \
     .msg = sub},
#define X(M)                                                       \
    enum { F_##M(INDEX, M) M##__fields };                          \
    static const struct otlp_field M##_fields[] = {F_##M(ROW, M)}; \
    const struct otlp_msg otlp_##M = {                             \
        .name = #M, .fields = M##_fields, .field_count = M##__fields, .by_tag = {F_##M(TAG_ENTRY, M)}};
OTLP_MESSAGES(X)
#undef X

const struct otlp_field *otlp_field_by_number(const struct otlp_msg *msg, uint32_t number)
{
    for (uint32_t i = 0; i < msg->field_count; i++)
        if (msg->fields[i].number == number)
            return &msg->fields[i];
    return NULL;
}

const struct otlp_field *otlp_field_by_json(const struct otlp_msg *msg, const void *name, size_t len)
{
    for (uint32_t i = 0; i < msg->field_count; i++)
        if (msg->fields[i].json_len == len && memcmp(msg->fields[i].json, name, len) == 0)
            return &msg->fields[i];
    return NULL;
}

uint32_t otlp_wire_of(unsigned kind)
{
    switch (kind) {
    case OTLP_MSG:
    case OTLP_STRING:
    case OTLP_BYTES:
    case OTLP_ID16:
    case OTLP_ID8:
        return PB_LEN;
    case OTLP_FIXED32:
        return PB_FIXED32;
    case OTLP_FIXED64:
    case OTLP_SFIXED64:
    case OTLP_DOUBLE:
        return PB_FIXED64;
    default:
        return kind & OTLP_PACKED ? (uint32_t)PB_LEN : (uint32_t)PB_VARINT;
    }
}

const struct otlp_msg *otlp_request_of(enum leat_signal signal)
{
    static const struct otlp_msg *const of[] = {&otlp_ExportLogsServiceRequest, &otlp_ExportMetricsServiceRequest,
                                                &otlp_ExportTraceServiceRequest, &otlp_ExportProfilesServiceRequest};
    return of[signal];
}
