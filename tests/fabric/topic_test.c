/*
 * Topics and patterns: what is valid, what matches, and the index against the plain comparison.
 */
#include "base/topic.h"
#include "fabric/trie.h"
#include "support/random.h"
#include "tests/fabric/fabric_support.h"

static void test_valid(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        rk_status topic, pattern;
        const char *says; /* in the sentence of the first of the two that fails */
    } cases[] = {
        {"a", RK_OK, RK_OK, NULL},
        {"plant/3/temperature", RK_OK, RK_OK, NULL},
        {"with space/\xc3\xa9", RK_OK, RK_OK, NULL},
        {"a/*", RK_SYNTAX, RK_OK, "level 2 of the topic holds the wildcard '*'"},
        {"*", RK_SYNTAX, RK_OK, "level 1"},
        {"#", RK_SYNTAX, RK_OK, "level 1"},
        {"a/*/b/#", RK_SYNTAX, RK_OK, "level 2"},
        {"a/#/b", RK_SYNTAX, RK_SYNTAX, "level 2"},
        {"a/b*", RK_SYNTAX, RK_SYNTAX, "level 2"},
        {"a/##", RK_SYNTAX, RK_SYNTAX, "level 2"},
        {"", RK_SYNTAX, RK_SYNTAX, "the topic is empty"},
        {"/", RK_SYNTAX, RK_SYNTAX, "level 1 of the topic is empty"},
        {"/a", RK_SYNTAX, RK_SYNTAX, "level 1 of the topic is empty"},
        {"a/", RK_SYNTAX, RK_SYNTAX, "level 2 of the topic is empty"},
        {"a//b", RK_SYNTAX, RK_SYNTAX, "level 2 of the topic is empty"},
        {"a/\x01", RK_SYNTAX, RK_SYNTAX, "0x01"},
        {"a\x7f", RK_SYNTAX, RK_SYNTAX, "0x7f"},
        {"1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6", RK_OK, RK_OK, NULL},
        {"1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7", RK_LIMIT, RK_LIMIT, "more than 16 levels"},
    };
    for (size_t i = 0; i < RK_COUNT_OF(cases); i++) {
        rk_err err = RK_ERR_INIT;
        assert_int_equal(rk_topic_check(cases[i].text, &err), cases[i].topic);
        if (cases[i].says) {
            assert_non_null(strstr(err.text, cases[i].says));
        }
        assert_int_equal(rk_pattern_check(cases[i].text, &err), cases[i].pattern);
    }
    assert_int_equal(rk_topic_check(NULL, NULL), RK_SYNTAX);
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_pattern_check("a/#/b", &err), RK_SYNTAX);
    assert_non_null(strstr(err.text, "not the last"));
    assert_int_equal(rk_pattern_check("a/b*", &err), RK_SYNTAX);
    assert_non_null(strstr(err.text, "must be a whole level"));

    char text[RK_TOPIC_MAX_BYTES + 2];
    memset(text, 'x', sizeof(text));
    text[RK_TOPIC_MAX_BYTES] = '\0';
    assert_int_equal(rk_topic_check(text, NULL), RK_OK);
    text[RK_TOPIC_MAX_BYTES] = 'x';
    text[RK_TOPIC_MAX_BYTES + 1] = '\0';
    assert_int_equal(rk_topic_check(text, NULL), RK_LIMIT);
}

static void test_matches(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *topic;
        bool matches;
    } cases[] = {
        {"a/b", "a/b", true},      {"a/b", "a/c", false},     {"a/b", "a", false},
        {"a/b", "a/b/c", false},   {"*", "a", true},          {"*", "a/b", false},
        {"*/b", "a/b", true},      {"a/*", "a", false},       {"a/*/c", "a/b/c", true},
        {"a/*/c", "a/b/d", false}, {"#", "a", true},          {"#", "a/b/c", true},
        {"a/#", "a", true},        {"a/#", "a/b", true},      {"a/#", "a/b/c", true},
        {"a/#", "b", false},       {"a/#", "ab", false},      {"*/#", "a", true},
        {"*/*/#", "a", false},     {"*/*/#", "a/b", true},    {"a/*/#", "a/b/c/d", true},
        {"ab", "a", false},        {"a/#/b", "a/x/b", false}, /* not a pattern */
    };
    for (size_t i = 0; i < RK_COUNT_OF(cases); i++) {
        assert_int_equal(rk_pattern_matches(cases[i].pattern, cases[i].topic), cases[i].matches);
    }
    assert_false(rk_pattern_matches(NULL, "a"));
    assert_false(rk_pattern_matches("a", "*"));
}

/* Short levels from a small alphabet, so that things match. */
static void random_path(uint64_t *seed, bool pattern, char *out)
{
    static const char *const names[] = {"a", "b", "cc", "d"};
    uint32_t levels = 1 + (uint32_t)(rk_test_random(seed) % 5);
    out[0] = '\0';
    for (uint32_t i = 0; i < levels; i++) {
        uint64_t pick = rk_test_random(seed) % 12;
        const char *level = names[pick % 4];
        if (pattern && pick >= 10) {
            level = i + 1 == levels ? "#" : "*";
        } else if (pattern && pick >= 8) {
            level = "*";
        }
        strcat(out, i == 0 ? "" : "/");
        strcat(out, level);
    }
}

#define PATTERNS 300

typedef struct indexed {
    char text[64];
    uint32_t tenant;
    rk_trie_node *node; /* NULL: not in the index now */
    unsigned visits;
} indexed;

static indexed *entries;

static void count_visit(void *context, rk_trie_node *node)
{
    (void)context;
    for (unsigned i = 0; i < PATTERNS; i++) {
        entries[i].visits += entries[i].node == node;
    }
}

static rk_topic parse(const char *text, bool pattern)
{
    rk_topic parsed;
    assert_int_equal(rk_topic_parse(text, strlen(text), pattern, &parsed, NULL), RK_OK);
    return parsed;
}

/* Patterns come and go; each topic visits exactly the nodes that the plain comparison matches. */
static void test_index_is_the_plain_comparison(void **state)
{
    (void)state;
    uint64_t seed = 11;
    indexed table[PATTERNS];
    memset(table, 0, sizeof(table));
    entries = table;
    rk_trie trie;
    assert_int_equal(rk_trie_init(&trie), RK_OK);
    unsigned matched = 0;
    for (unsigned round = 0; round < 3000; round++) {
        indexed *e = &table[rk_test_random(&seed) % PATTERNS];
        if (e->node) {
            rk_trie_release(&trie, e->node);
            e->node = NULL;
        } else {
            random_path(&seed, true, e->text);
            e->tenant = (uint32_t)(rk_test_random(&seed) % 2);
            rk_topic pattern = parse(e->text, true);
            assert_int_equal(rk_trie_hold(&trie, e->tenant, &pattern, &e->node), RK_OK);
            assert_ptr_equal(rk_trie_find(&trie, e->tenant, &pattern), e->node);
        }
        char topic_text[64];
        random_path(&seed, false, topic_text);
        rk_topic topic = parse(topic_text, false);
        uint32_t tenant = (uint32_t)(rk_test_random(&seed) % 2);
        rk_trie_match(&trie, tenant, &topic, count_visit, NULL);
        for (unsigned i = 0; i < PATTERNS; i++) {
            bool expected = table[i].node && table[i].tenant == tenant &&
                            rk_pattern_matches(table[i].text, topic_text);
            assert_int_equal(table[i].visits, expected);
            matched += expected;
            table[i].visits = 0;
        }
    }
    assert_true(matched > 1000);
    for (unsigned i = 0; i < PATTERNS; i++) {
        if (table[i].node) {
            rk_trie_release(&trie, table[i].node);
        }
    }
    assert_int_equal(trie.node_count, 0);
    rk_trie_finish(&trie);
}

/* The other way round: which topics does a pattern list? */
static void test_list_is_the_plain_comparison(void **state)
{
    (void)state;
    uint64_t seed = 12;
    indexed table[PATTERNS];
    memset(table, 0, sizeof(table));
    entries = table;
    rk_trie trie;
    assert_int_equal(rk_trie_init(&trie), RK_OK);
    for (unsigned i = 0; i < PATTERNS; i++) {
        random_path(&seed, false, table[i].text);
        rk_topic topic = parse(table[i].text, false);
        assert_int_equal(rk_trie_hold(&trie, 3, &topic, &table[i].node), RK_OK);
    }
    for (unsigned round = 0; round < 1000; round++) {
        char text[64];
        random_path(&seed, true, text);
        rk_topic pattern = parse(text, true);
        rk_trie_list(&trie, 3, &pattern, count_visit, NULL);
        for (unsigned i = 0; i < PATTERNS; i++) {
            assert_int_equal(table[i].visits, rk_pattern_matches(text, table[i].text));
            table[i].visits = 0;
        }
    }
    rk_trie_finish(&trie);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_index_is_the_plain_comparison),
        cmocka_unit_test(test_list_is_the_plain_comparison),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
