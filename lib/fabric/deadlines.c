/*
 * deadlines.c: an indexed binary min-heap: heap[i]->at == i + 1 for every armed deadline.
 */
#include "fabric/deadlines.h"

#include "base/compiler.h"
#include "base/wait.h"
#include <stdlib.h>

void rk_deadlines_init(rk_deadlines *set)
{
    *set = (rk_deadlines){0};
    rk_mutex_init(&set->lock);
}

void rk_deadlines_finish(rk_deadlines *set)
{
    free(set->heap);
    rk_mutex_finish(&set->lock);
}

static void place(rk_deadlines *set, uint32_t index, rk_deadline *deadline)
{
    set->heap[index] = deadline;
    deadline->at = index + 1;
}

static void sift_up(rk_deadlines *set, uint32_t index)
{
    rk_deadline *moving = set->heap[index];
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (set->heap[parent]->due_ns <= moving->due_ns) {
            break;
        }
        place(set, index, set->heap[parent]);
        index = parent;
    }
    place(set, index, moving);
}

static void sift_down(rk_deadlines *set, uint32_t index)
{
    rk_deadline *moving = set->heap[index];
    for (;;) {
        uint32_t child = index * 2 + 1;
        if (child >= set->count) {
            break;
        }
        if (child + 1 < set->count && set->heap[child + 1]->due_ns < set->heap[child]->due_ns) {
            child++;
        }
        if (moving->due_ns <= set->heap[child]->due_ns) {
            break;
        }
        place(set, index, set->heap[child]);
        index = child;
    }
    place(set, index, moving);
}

static rk_status grow(rk_deadlines *set)
{
    if (set->count < set->capacity) {
        return RK_OK;
    }
    uint32_t capacity = set->capacity ? set->capacity * 2 : 64;
    rk_deadline **heap = realloc(set->heap, sizeof(*heap) * capacity);
    if (!heap) {
        return RK_NO_MEMORY;
    }
    set->heap = heap;
    set->capacity = capacity;
    return RK_OK;
}

rk_status rk_deadlines_set(rk_deadlines *set, rk_deadline *deadline, uint64_t due_ns)
{
    rk_status status = RK_OK;
    bool first = false;
    rk_mutex_lock(&set->lock);
    uint64_t earliest = set->count ? set->heap[0]->due_ns : UINT64_MAX;
    if (deadline->at != 0) {
        uint64_t before = deadline->due_ns;
        deadline->due_ns = due_ns;
        if (due_ns < before) {
            sift_up(set, deadline->at - 1);
        } else {
            sift_down(set, deadline->at - 1);
        }
    } else {
        status = grow(set);
        if (status == RK_OK) {
            deadline->due_ns = due_ns;
            place(set, set->count, deadline);
            set->count++;
            sift_up(set, set->count - 1);
        }
    }
    if (status == RK_OK && due_ns < earliest) {
        first = true;
        (void)rk_atomic_add_u32(&set->bell, 1,
                                memory_order_release); /* pairs with the waiter's acquire */
    }
    rk_mutex_unlock(&set->lock);
    if (first) {
        rk_wake(&set->bell, 1);
    }
    return status;
}

static void take_out(rk_deadlines *set, uint32_t index)
{
    set->heap[index]->at = 0;
    set->count--;
    if (index == set->count) {
        return;
    }
    rk_deadline *moved = set->heap[set->count];
    place(set, index, moved);
    sift_up(set, index);
    sift_down(set, moved->at - 1);
}

void rk_deadlines_cancel(rk_deadlines *set, rk_deadline *deadline)
{
    rk_mutex_lock(&set->lock);
    if (deadline->at != 0) {
        take_out(set, deadline->at - 1);
    }
    rk_mutex_unlock(&set->lock);
}

bool rk_deadlines_pop(rk_deadlines *set, uint64_t now_ns, uint32_t *out_kind, uint32_t *out_id)
{
    bool found = false;
    rk_mutex_lock(&set->lock);
    if (set->count > 0 && set->heap[0]->due_ns <= now_ns) {
        *out_kind = set->heap[0]->kind;
        *out_id = set->heap[0]->id;
        take_out(set, 0);
        found = true;
    }
    rk_mutex_unlock(&set->lock);
    return found;
}

uint64_t rk_deadlines_next(rk_deadlines *set)
{
    rk_mutex_lock(&set->lock);
    uint64_t next = set->count ? set->heap[0]->due_ns : UINT64_MAX;
    rk_mutex_unlock(&set->lock);
    return next;
}
