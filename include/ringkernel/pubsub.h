/*
 * pubsub.h: publish and subscribe on a fabric.
 *
 * Topics are levels separated by '/': "plant/3/temperature". In a pattern "*" stands for exactly
 * one level and "#", only as the last level, for any number of levels, none included. Levels are
 * not empty and hold no control characters. Topics belong to the tenant of publisher and
 * subscriber.
 *
 * A publication reaches each endpoint once, however many of its patterns match, with the smaller of
 * the publication's QoS and the largest QoS of these subscriptions:
 *
 *   0  at most once: a subscriber that cannot take it now loses it; the loss is counted.
 *   1  at least once: kept per subscriber until acknowledged, delivered again with
 *      RK_MSG_DUPLICATE after retry_after_ns, a dead letter after retry_limit deliveries.
 *   2  exactly once. Publisher's side: the publication carries a publish id; one that was accepted
 *      before is not delivered again. Ids rise; the fabric remembers the last
 *      RK_PUBLISH_WINDOW of each publisher and refuses older ones with RK_STALE. Subscriber's side:
 *      kept and delivered again as with QoS 1; rk_fabric_acknowledge answers RK_OK once per
 *      publication, and the subscriber acts on it only then. Mailboxes do this by themselves.
 *
 * A delivered publication of QoS 1 or 2 carries in header.correlation the token to acknowledge it
 * with, and its QoS in header.flags. For one subscriber, publications of one publisher arrive in
 * the order in which they were made, redeliveries aside.
 *
 * Redelivery needs rk_fabric_poll, or RK_FABRIC_TIMER_THREAD.
 */
#ifndef RINGKERNEL_PUBSUB_H
#define RINGKERNEL_PUBSUB_H

#include <ringkernel/fabric.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RK_TOPIC_MAX_BYTES 255
#define RK_TOPIC_MAX_LEVELS 16
#define RK_PUBLISH_WINDOW 4096u

/* Is it a valid topic, a valid pattern? RK_SYNTAX or RK_LIMIT with a sentence that says where. */
RK_API rk_status rk_topic_check(const char *topic, rk_err *err);
RK_API rk_status rk_pattern_check(const char *pattern, rk_err *err);

/* True if both are valid and the pattern matches the topic. */
RK_API bool rk_pattern_matches(const char *pattern, const char *topic);

/*
 * Subscribes an endpoint. Retained publications that match are delivered during the call, with
 * RK_MSG_RETAINED; one that is replaced meanwhile is left out. Subscribing again to the same
 * pattern changes the QoS. RK_NOT_FOUND (endpoint), RK_SYNTAX, RK_LIMIT, RK_INVALID (QoS above
 * 2).
 */
RK_API rk_status rk_fabric_subscribe(rk_fabric *fabric, uint32_t endpoint, const char *pattern,
                                     uint32_t max_qos, rk_err *err);

/* RK_NOT_FOUND when there is no such subscription. Unacknowledged publications stay. */
RK_API rk_status rk_fabric_unsubscribe(rk_fabric *fabric, uint32_t endpoint, const char *pattern,
                                       rk_err *err);

typedef struct rk_publish_options {
    uint32_t qos;
    bool retain;         /* keep as the topic's retained publication; with no payload: clear it */
    uint64_t publish_id; /* required for QoS 2: rises with each new publication of this source */
    uint64_t deadline_us;
    int8_t priority; /* against normal, as in rk_send_options */
} rk_publish_options;

/* What became of a publication. matched = delivered + kept + lost. */
typedef struct rk_publish_result {
    uint32_t matched;   /* endpoints */
    uint32_t delivered; /* taken by the endpoint; QoS 1 and 2 not yet acknowledged */
    uint32_t kept;      /* QoS 1 and 2: not taken yet, will be tried again */
    uint32_t lost;      /* QoS 0: refused; QoS 1 and 2: over the limits, now a dead letter */
    bool duplicate;     /* QoS 2: accepted before, not delivered again */
    bool retained;      /* now the topic's retained publication, or cleared it */
} rk_publish_result;

/*
 * Publishes. options and out may be NULL. RK_OK, also when nobody listens; RK_NOT_FOUND (source),
 * RK_SYNTAX or RK_LIMIT (topic, payload, or the retained publications are at their limit:
 * delivered, but not retained), RK_STALE (publish id older than the window), RK_INVALID,
 * RK_NO_MEMORY.
 */
RK_API rk_status rk_fabric_publish(rk_fabric *fabric, uint32_t source, const char *topic,
                                   uint32_t type, const void *payload, uint32_t length,
                                   const rk_publish_options *options, rk_publish_result *out,
                                   rk_err *err);

/*
 * Acknowledges one delivered publication of QoS 1 or 2. RK_OK: it was outstanding and is done.
 * RK_NOT_FOUND: acknowledged before, given up as a dead letter, or never delivered; with QoS 2 the
 * subscriber must then not act on it.
 */
RK_API rk_status rk_fabric_acknowledge(rk_fabric *fabric, uint32_t endpoint, uint32_t token);

#ifdef __cplusplus
}
#endif
#endif
