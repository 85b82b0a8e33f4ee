/*
 * suggest.c: the edit distance, and the nearest word.
 */
#include "base/suggest.h"

#include "base/compiler.h"

#include <string.h>
#include <strings.h>

/* ASCII only: the words are names from our own tables. */
static int lower(char character)
{
    return character >= 'A' && character <= 'Z' ? character - 'A' + 'a' : character;
}

size_t rk_edit_distance(const char *a, const char *b)
{
    size_t a_length = strnlen(a, RK_SUGGEST_MOST_BYTES + 1);
    size_t b_length = strnlen(b, RK_SUGGEST_MOST_BYTES + 1);
    if (a_length > RK_SUGGEST_MOST_BYTES || b_length > RK_SUGGEST_MOST_BYTES) {
        return SIZE_MAX;
    }
    /* rows[i % 3][j]: the distance of a's first i and b's first j bytes. */
    size_t rows[3][RK_SUGGEST_MOST_BYTES + 1];
    for (size_t j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        const size_t *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t changed = lower(a[i - 1]) != lower(b[j - 1]);
            size_t best = above[j - 1] + changed;
            best = RK_MIN(best, above[j] + 1);
            best = RK_MIN(best, row[j - 1] + 1);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1])) {
                best = RK_MIN(best, two_above[j - 2] + 1);
            }
            row[j] = best;
        }
    }
    return rows[a_length % 3][b_length];
}

const char *rk_suggest(const char *word, const char *const *candidates, size_t count)
{
    size_t length = strnlen(word, RK_SUGGEST_MOST_BYTES + 1);
    if (length == 0 || length > RK_SUGGEST_MOST_BYTES) {
        return NULL;
    }
    size_t nearest = RK_MAX(length / 3, (size_t)1) + 1;
    const char *found = NULL;
    const char *longer = NULL;
    for (size_t i = 0; i < count; i++) {
        if (candidates[i] == NULL) {
            continue;
        }
        size_t distance = rk_edit_distance(word, candidates[i]);
        /* A word of which every byte is wrong is no near miss. */
        if (distance < nearest && distance < length) {
            nearest = distance;
            found = candidates[i];
        }
        if (longer == NULL && length >= 3 && strncasecmp(word, candidates[i], length) == 0) {
            longer = candidates[i];
        }
    }
    return found != NULL ? found : longer;
}
