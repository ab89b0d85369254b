/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/deliver/grpc_target.h"
#include "agent/net/h2/grpc.h"
#include "exporters/otlp_grpc/otlp_grpc.h"

const struct leat_field otlp_grpc_fields[] = {{0}};

static const char *const methods[] = {"/opentelemetry.proto.collector.logs.v1.LogsService/Export",
                                      "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
                                      "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                                      "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"};

leat_rc otlp_grpc_check(const struct leat_exporter_conf *conf, struct leat_err *reterr)
{
    const struct leat_grpc_client_conf *grpc = conf->carrier;
    struct leat_grpc_target target;
    leat_rc rc = leat_grpc_target_parse(grpc->endpoint, grpc->tls.insecure, &target, reterr);
    if (rc != LEAT_OK)
        return rc;
    const char *balancer = grpc->balancer_name;
    if (balancer && *balancer && strcmp(balancer, "round_robin") != 0 && strcmp(balancer, "pick_first") != 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "balancer_name \"%.40s\" is neither round_robin nor pick_first",
                          balancer);
    return LEAT_OK;
}

leat_rc otlp_grpc_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                       struct leat_world *world, struct leat_err *reterr)
{
    (void)conf;
    (void)world;
    (void)reterr;
    struct otlp_grpc_state *otlp = state;
    otlp->method = methods[signal];
    return LEAT_OK;
}

void otlp_grpc_close(void *state)
{
    (void)state;
}
