/*
 * suggest.h: "did you mean ...?"
 */
#ifndef RK_BASE_SUGGEST_H
#define RK_BASE_SUGGEST_H

#include <stddef.h>

/* Longer words get no suggestion; bounds the work for input from outside. */
#define RK_SUGGEST_MOST_BYTES 64

/*
 * The candidate that the word was probably meant to be, or NULL if none is near: a third of its
 * bytes may be wrong, left out, extra or swapped with the next one, or a word of three bytes or
 * more may be cut short. Upper and lower case count as the same. The first of several equally near
 * ones wins; NULL candidates are skipped. The result is borrowed from candidates.
 */
const char *rk_suggest(const char *word, const char *const *candidates, size_t count);

/*
 * The number of bytes to change, insert, remove or swap with their neighbour to make b of a, where
 * no byte is edited twice (optimal string alignment distance); case does not count. SIZE_MAX if
 * either is longer than RK_SUGGEST_MOST_BYTES.
 */
size_t rk_edit_distance(const char *a, const char *b);

#endif
