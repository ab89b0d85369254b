/* SPDX-License-Identifier: Apache-2.0 */
/* contract -- helpers of the suite that every component passes: a configuration and a payload for anything.
 *
 * Why      `./dev new exporter NAME` is tested before its author has written a test.
 * Rule     keys named endpoint, path, directory, include and required strings get harmless values; a component whose
 * own check wants more has its keys, as the inside of a flow map, in tests/contract/conf/NAME.yaml. */
#pragma once
#include "agent/app/registry.h"
#include "config/plan.h"
#include "tests/kit/kit.h"

/* A plan in which `type` does its part in a pipeline of nops for each of its signals. Fails the test with the
 * diagnoses. */
struct leat_plan *contract_plan(const struct leat_type_info *type, uint32_t shards);
/* `count` OTLP items of one signal as a payload. */
leat_rc contract_payload(enum leat_signal signal, uint32_t count, struct leat_chain *ret_payload) LEAT_MUST_CHECK;
/* What a peer of this component says when it took a request of `count` items: tests/contract/conf/NAME.ok, in which the part
 * between two '@' is repeated for each item. NULL: there is no such file; any 200 will do. Static. */
const char *contract_ok(const char *name, uint32_t count);
const char *contract_folder(void); /* a temporary folder, one per process, removed at exit */
