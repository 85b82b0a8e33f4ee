/*
 * retained.h: the last publication of a topic, kept for those who subscribe later.
 *
 * A retained publication hangs on its topic's node and is bounded in number and bytes.
 */
#ifndef RK_FABRIC_RETAINED_H
#define RK_FABRIC_RETAINED_H

#include "base/topic.h"
#include "fabric/session.h"

typedef struct rk_retained_list {
    rk_publication **items; /* one reference each */
    uint32_t count;
    uint32_t capacity;
    bool failed;
} rk_retained_list;

/* Keeps the publication (taking a reference) instead of an earlier one. The pubsub lock is held.
 * RK_LIMIT: nothing has changed. */
rk_status rk_retained_keep(rk_fabric *fabric, uint32_t tenant, const rk_topic *topic,
                           rk_publication *publication);

/* Forgets what is retained for a topic. The pubsub lock is held. */
void rk_retained_forget(rk_fabric *fabric, uint32_t tenant, const rk_topic *topic);

/* Forgets everything. */
void rk_retained_clear(rk_fabric *fabric);

/* Lists what a pattern matches. The pubsub lock is held. */
rk_status rk_retained_find(rk_fabric *fabric, uint32_t tenant, const rk_topic *pattern,
                           rk_retained_list *out);
void rk_retained_list_finish(rk_retained_list *list);

/* Delivers a list to an endpoint that is entered, leaving out what has been replaced since. */
void rk_retained_deliver(rk_fabric *fabric, struct rk_endpoint *endpoint,
                         const rk_retained_list *list, uint32_t max_qos);

#endif
