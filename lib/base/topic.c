/*
 * topic.c: checks, splits and compares topics and patterns. The rules are in topic.h.
 */
#include "base/topic.h"

#include <string.h>

/* Checks one level and finds its kind; number counts from one. */
static rk_status parse_level(rk_topic_level *level, bool pattern, uint32_t number, rk_err *err)
{
    const char *what = pattern ? "pattern" : "topic";
    level->kind = RK_TOPIC_LITERAL;
    if (level->length == 0) {
        return rk_err_set(
            err, RK_SYNTAX,
            "level %u of the %s is empty: write no '/' at the start or the end and no "
            "two in a row",
            number, what);
    }
    for (uint32_t i = 0; i < level->length; i++) {
        unsigned char c = (unsigned char)level->text[i];
        if (c < 0x20u || c == 0x7fu) {
            return rk_err_set(err, RK_SYNTAX,
                              "level %u of the %s holds the control character 0x%02x: use "
                              "printable characters",
                              number, what, (unsigned)c);
        }
        if (c != '*' && c != '#') {
            continue;
        }
        if (!pattern) {
            return rk_err_set(err, RK_SYNTAX,
                              "level %u of the topic holds the wildcard '%c': wildcards are for "
                              "subscriptions, publish to one full topic",
                              number, c);
        }
        if (level->length != 1) {
            return rk_err_set(err, RK_SYNTAX,
                              "level %u of the pattern mixes the wildcard '%c' with other "
                              "characters: a wildcard must be a whole level",
                              number, c);
        }
        level->kind = c == '*' ? RK_TOPIC_ONE : RK_TOPIC_REST;
    }
    return RK_OK;
}

rk_status rk_topic_parse(const char *text, size_t length, bool pattern, rk_topic *out, rk_err *err)
{
    const char *what = pattern ? "pattern" : "topic";
    if (!text || length == 0) {
        return rk_err_set(err, RK_SYNTAX, "the %s is empty: name at least one level", what);
    }
    if (length > RK_TOPIC_MAX_BYTES) {
        return rk_err_set(err, RK_LIMIT, "the %s has %zu bytes, the limit is %d: shorten it", what,
                          length, RK_TOPIC_MAX_BYTES);
    }
    rk_topic topic;
    topic.count = 0;
    const char *end = text + length;
    for (const char *at = text;; at++) {
        if (topic.count == RK_TOPIC_MAX_LEVELS) {
            return rk_err_set(err, RK_LIMIT, "the %s has more than %d levels: use fewer", what,
                              RK_TOPIC_MAX_LEVELS);
        }
        const char *slash = memchr(at, '/', (size_t)(end - at));
        const char *stop = slash ? slash : end;
        rk_topic_level *level = &topic.level[topic.count];
        level->text = at;
        level->length = (uint32_t)(stop - at);
        topic.count++;
        rk_status status = parse_level(level, pattern, topic.count, err);
        if (status != RK_OK) {
            return status;
        }
        if (!slash) {
            break;
        }
        if (level->kind == RK_TOPIC_REST) {
            return rk_err_set(err, RK_SYNTAX,
                              "'#' is level %u of the pattern but not the last: it stands for the "
                              "rest, use '*' for one level",
                              topic.count);
        }
        at = slash;
    }
    *out = topic;
    return RK_OK;
}

bool rk_topic_match(const rk_topic *pattern, const rk_topic *topic)
{
    uint32_t i = 0;
    for (; i < pattern->count; i++) {
        const rk_topic_level *want = &pattern->level[i];
        if (want->kind == RK_TOPIC_REST) {
            return true;
        }
        if (i >= topic->count) {
            return false;
        }
        const rk_topic_level *have = &topic->level[i];
        if (want->kind == RK_TOPIC_LITERAL &&
            (want->length != have->length || memcmp(want->text, have->text, want->length) != 0)) {
            return false;
        }
    }
    return i == topic->count;
}

rk_status rk_topic_check(const char *topic, rk_err *err)
{
    rk_topic parsed;
    return rk_topic_parse(topic, topic ? strlen(topic) : 0, false, &parsed, err);
}

rk_status rk_pattern_check(const char *pattern, rk_err *err)
{
    rk_topic parsed;
    return rk_topic_parse(pattern, pattern ? strlen(pattern) : 0, true, &parsed, err);
}

bool rk_pattern_matches(const char *pattern, const char *topic)
{
    rk_topic want;
    rk_topic have;
    return pattern && topic &&
           rk_topic_parse(pattern, strlen(pattern), true, &want, NULL) == RK_OK &&
           rk_topic_parse(topic, strlen(topic), false, &have, NULL) == RK_OK &&
           rk_topic_match(&want, &have);
}
