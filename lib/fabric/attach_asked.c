/*
 * attach_asked.c: the requests that a kernel has not answered.
 *
 * A table with a free list. The kernel sees place and generation as the correlation; the fabric's
 * own number is unique only together with the asking node, so it cannot be used. When the table is
 * full, requests whose deadline has passed make room: their askers have been told.
 */
#include "base/clock.h"
#include "fabric/attach.h"

static void give(rk_attachment *attachment, uint32_t place)
{
    rk_attach_asked *asked = &attachment->asked[place];
    asked->open = false;
    asked->next_free = attachment->asked_free;
    attachment->asked_free = place;
    attachment->stats.requests_open--;
}

static void sweep(rk_attachment *attachment)
{
    uint64_t now_us = rk_clock_realtime_ns() / RK_NS_PER_US;
    for (uint32_t place = 1; place < attachment->asked_fresh; place++) {
        const rk_attach_asked *asked = &attachment->asked[place];
        if (asked->open && asked->deadline_us != 0 && asked->deadline_us < now_us) {
            give(attachment, place);
        }
    }
}

uint32_t rk_attach_asked_open(rk_attachment *attachment, const rk_delivery *request)
{
    if (attachment->asked_free == 0 && attachment->asked_fresh > attachment->asked_limit) {
        sweep(attachment);
    }
    uint32_t place = attachment->asked_free;
    if (place != 0) {
        attachment->asked_free = attachment->asked[place].next_free;
    } else if (attachment->asked_fresh <= attachment->asked_limit) {
        place = attachment->asked_fresh++;
    } else {
        return 0;
    }
    rk_attach_asked *asked = &attachment->asked[place];
    *asked = (rk_attach_asked){.source = request->source,
                               .number = request->header.correlation,
                               .generation = asked->generation % 0xffffu + 1,
                               .life = attachment->life,
                               .deadline_us = request->deadline_us,
                               .open = true};
    attachment->stats.requests_open++;
    return asked->generation << 16 | place;
}

bool rk_attach_asked_close(rk_attachment *attachment, uint32_t correlation, rk_attach_asked *out)
{
    uint32_t place = correlation & 0xffffu;
    if (place == 0 || place >= attachment->asked_fresh) {
        return false;
    }
    const rk_attach_asked *asked = &attachment->asked[place];
    if (!asked->open || asked->generation != correlation >> 16) {
        return false;
    }
    *out = *asked;
    give(attachment, place);
    return true;
}

bool rk_attach_asked_take(rk_attachment *attachment, uint64_t life, rk_attach_asked *out)
{
    for (uint32_t place = 1; place < attachment->asked_fresh; place++) {
        if (attachment->asked[place].open && attachment->asked[place].life < life) {
            *out = attachment->asked[place];
            give(attachment, place);
            return true;
        }
    }
    return false;
}
