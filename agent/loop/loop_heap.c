/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/loop/loop_heap.h"

#include <stddef.h>

/* `prev` of a first child is its parent, of any other child its elder sibling; the root's is NULL. */

static struct leat_timer *meld(struct leat_timer *a, struct leat_timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->due_ns < a->due_ns) { /* the earlier one stays above */
        struct leat_timer *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    return a;
}

static struct leat_timer *detach(struct leat_timer *timer) /* a lone tree: no parent, no siblings */
{
    timer->next = timer->prev = NULL;
    return timer;
}

/* Pairs siblings left to right and stacks the pairs, then melds the stack: amortised O(log n), no recursion. */
static struct leat_timer *meld_siblings(struct leat_timer *first)
{
    struct leat_timer *stack = NULL;
    while (first) {
        struct leat_timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a = meld(detach(a), b ? detach(b) : NULL);
        a->next = stack;
        stack = a;
    }
    struct leat_timer *root = NULL;
    while (stack) {
        struct leat_timer *below = stack->next;
        root = meld(root, detach(stack));
        stack = below;
    }
    return root;
}

struct leat_timer *leat_loop__heap_put(struct leat_timer *root, struct leat_timer *timer)
{
    timer->child = timer->next = timer->prev = NULL;
    return meld(root, timer);
}

struct leat_timer *leat_loop__heap_remove(struct leat_timer *root, struct leat_timer *timer)
{
    struct leat_timer *below = meld_siblings(timer->child);
    if (timer != root) {
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next)
            timer->next->prev = timer->prev;
        below = meld(root, below);
    }
    timer->child = timer->next = timer->prev = NULL;
    return below;
}
