/* SPDX-License-Identifier: Apache-2.0 */
/* list -- intrusive, circular, doubly linked. A node that is in no list points at itself. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct leat_list {
    struct leat_list *next, *prev;
};

#define LEAT_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void leat_list_init(struct leat_list *node) { node->next = node->prev = node; }
static inline bool leat_list_empty(const struct leat_list *head) { return head->next == head; }
static inline void leat_list_push(struct leat_list *head, struct leat_list *node) /* at the end */
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}
static inline void leat_list_push_front(struct leat_list *head, struct leat_list *node)
{
    leat_list_push(head->next, node);
}
static inline void leat_list_remove(struct leat_list *node) /* safe on a node in no list */
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    leat_list_init(node);
}
static inline struct leat_list *leat_list_pop(struct leat_list *head) /* NULL: empty */
{
    struct leat_list *node = head->next;
    if (node == head)
        return NULL;
    leat_list_remove(node);
    return node;
}
#define LEAT_LIST_EACH(node, head) \
    for (struct leat_list *node = (head)->next, *node##_next = node->next; node != (head); \
         node = node##_next, node##_next = node->next) /* the current node may be removed */
