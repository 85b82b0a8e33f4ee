/*
 * topic.h: topics and topic patterns, split into levels.
 *
 * A topic is one to RK_TOPIC_MAX_LEVELS levels separated by '/', at most RK_TOPIC_MAX_BYTES bytes
 * in all. A level is not empty and holds no control characters. In a pattern a level may be "*"
 * (exactly one level, whatever it is) and the last one may be "#" (any number of levels, none
 * included); in a topic both characters are refused. The bytes of a level are compared as they
 * are.
 */
#ifndef RK_BASE_TOPIC_H
#define RK_BASE_TOPIC_H

#include <ringkernel/pubsub.h>

typedef enum rk_topic_kind {
    RK_TOPIC_LITERAL = 0,
    RK_TOPIC_ONE = 1,  /* * */
    RK_TOPIC_REST = 2, /* # */
} rk_topic_kind;

typedef struct rk_topic_level {
    const char *text; /* borrowed from the text that was parsed; not NUL-terminated */
    uint32_t length;
    rk_topic_kind kind;
} rk_topic_level;

typedef struct rk_topic {
    uint32_t count;
    rk_topic_level level[RK_TOPIC_MAX_LEVELS];
} rk_topic;

/*
 * Splits `length` bytes at text, which must outlive *out. pattern: wildcards are allowed.
 * RK_SYNTAX (a character or a wildcard where none may be) or RK_LIMIT (too long, too many levels)
 * with a sentence that names the level.
 */
rk_status rk_topic_parse(const char *text, size_t length, bool pattern, rk_topic *out, rk_err *err);

/* True if the pattern matches the topic. */
bool rk_topic_match(const rk_topic *pattern, const rk_topic *topic);

#endif
