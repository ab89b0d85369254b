/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/app/conversions.h"

#include "exporters/exporter.h"
#include "processors/processor.h"
#include "proto/otlp/otlp_form.h"
#include "proto/remote_write/rw_to_otlp.h"
#include "receivers/receiver.h"

const struct leat_conversion leat_conversions[] = {
    {LEAT_FORM_PROM, LEAT_FORM_OTLP, &otlp_form, leat_prom_to_otlp},
    {0},
};

/* "prom" of LEAT_FORM_PROM; for people. */
static const char *form_name(uint32_t form)
{
    return form & LEAT_FORM_OTLP ? "OTLP" : form & LEAT_FORM_PROM ? "Prometheus samples" : "pprof";
}

static const void *descriptor(const struct leat_plan *plan, uint32_t part)
{
    const struct leat_type_info *type = plan->parts[part].type;
    return type ? type->descriptor : NULL;
}

static uint32_t takes(const struct leat_plan *plan, enum leat_kind kind, uint32_t part)
{
    const void *type = descriptor(plan, part);
    if (!type)
        return UINT32_MAX;
    return kind == LEAT_KIND_PROCESSOR ? ((const struct leat_processor_type *)type)->forms
                                       : ((const struct leat_exporter_type *)type)->forms;
}

/* What is left of the arriving forms behind a component that takes only some of them. */
static uint32_t behind(uint32_t arriving, uint32_t taken)
{
    uint32_t forms = arriving & taken;
    for (uint32_t form = 1; form && form <= arriving; form <<= 1) {
        const struct leat_conversion *row = arriving & form ? leat_conversion_find(leat_conversions, form, taken) : NULL;
        if (row)
            forms |= row->to;
    }
    return forms;
}

uint32_t leat_conversions_arriving(const struct leat_plan *plan, const struct leat_plan_pipeline *pipeline, uint32_t position)
{
    uint32_t forms = 0;
    for (uint32_t i = 0; i < pipeline->receivers.count; i++) {
        const struct leat_receiver_type *type = descriptor(plan, pipeline->receivers.at[i]);
        forms |= type ? type->forms : 0;
    }
    for (uint32_t i = 0; i < position; i++)
        forms = behind(forms, takes(plan, LEAT_KIND_PROCESSOR, pipeline->processors.at[i]));
    return forms;
}

/* ---- each place of a plan, with what arrives there ---- */

typedef void (*place_fn)(void *ctx, const struct leat_plan_pipeline *pipeline, uint32_t part, uint32_t form,
                         const struct leat_conversion *row);

static void each_at(const struct leat_plan *plan, const struct leat_plan_pipeline *pipeline, enum leat_kind kind, uint32_t part,
                    uint32_t arriving, place_fn fn, void *ctx)
{
    uint32_t taken = takes(plan, kind, part);
    for (uint32_t form = 1; form && form <= arriving; form <<= 1)
        if (arriving & form & ~taken)
            fn(ctx, pipeline, part, form, leat_conversion_find(leat_conversions, form, taken));
}

static void each_place(const struct leat_plan *plan, place_fn fn, void *ctx)
{
    for (uint32_t p = 0; p < plan->pipeline_count; p++) {
        const struct leat_plan_pipeline *pipeline = &plan->pipelines[p];
        uint32_t count = pipeline->processors.count;
        for (uint32_t i = 0; i < count; i++)
            each_at(plan, pipeline, LEAT_KIND_PROCESSOR, pipeline->processors.at[i],
                    leat_conversions_arriving(plan, pipeline, i), fn, ctx);
        for (uint32_t i = 0; i < pipeline->exporters.count; i++)
            each_at(plan, pipeline, LEAT_KIND_EXPORTER, pipeline->exporters.at[i],
                    leat_conversions_arriving(plan, pipeline, count), fn, ctx);
    }
}

struct check {
    struct leat_plan *plan;
    leat_rc rc;
};

static void check_one(void *ctx, const struct leat_plan_pipeline *pipeline, uint32_t part, uint32_t form,
                      const struct leat_conversion *row)
{
    struct check *check = ctx;
    if (row)
        return;
    check->rc = LEAT_ECONFIG;
    leat_diag_add(&check->plan->diags, LEAT_ERROR, pipeline->mark, "service::pipelines",
                  "pipeline \"%s\": \"%s\" does not take %s, and there is no conversion", pipeline->id,
                  check->plan->parts[part].id, form_name(form));
}

leat_rc leat_conversions_check(struct leat_plan *plan)
{
    struct check check = {plan, LEAT_OK};
    each_place(plan, check_one, &check);
    return check.rc;
}

struct print {
    const struct leat_plan *plan;
    struct leat_strbuf *out;
};

static void print_one(void *ctx, const struct leat_plan_pipeline *pipeline, uint32_t part, uint32_t form,
                      const struct leat_conversion *row)
{
    const struct print *print = ctx;
    if (row)
        leat_strbuf_printf(print->out, "# pipeline %s: %s %s %s before %s\n", pipeline->id, form_name(form),
                           form == LEAT_FORM_PROM ? "become" : "becomes", form_name(row->to), print->plan->parts[part].id);
}

void leat_conversions_print(const struct leat_plan *plan, struct leat_strbuf *out)
{
    struct print print = {plan, out};
    each_place(plan, print_one, &print);
}
