/*
 * parts.h: the functions that the files of the actor system offer one another; core.h
 * says which file is for what. "Holder" functions are for the worker that holds the actor.
 */
#ifndef RK_ACTOR_PARTS_H
#define RK_ACTOR_PARTS_H

#include "actor/worker.h"

/* --- system.c --- */

/* Waits while the system is paused; false: it ends. Workers. */
bool rk_halt_wait(rk_actor_system *sys);
/* Tells those who wait that the system is idle now. */
void rk_idle_tell(rk_actor_system *sys);

/* --- table.c --- */

rk_status rk_table_init(rk_actor_system *sys);
void rk_table_finish(rk_actor_system *sys);
bool rk_id_source_init(rk_id_source *ids, uint32_t number);
void rk_id_source_finish(rk_id_source *ids);
/* A slot whose inbox is closed and carries the new actor's generation; NULL: out of memory or ids.
 * */
rk_actor *rk_table_take(rk_actor_system *sys, rk_id_source *ids, rk_type_entry *type);
void rk_table_give(rk_actor_system *sys, rk_id_source *ids, rk_actor *a);
/* Calls visit for every slot that was ever used. */
void rk_table_walk(rk_actor_system *sys, void (*visit)(rk_actor_system *sys, rk_actor *a));
/* Gives back the slot of an actor that has ended; in an ordered system after the turn. */
void rk_slot_give(rk_origin *o, rk_actor *a);
/* The actor's ext, made if needed; NULL: out of memory. Holder, or spawner. */
rk_actor_ext *rk_actor_ext_get(rk_actor *a);

/* --- send.c --- */

/* Where a message comes from and what it says besides its payload. */
typedef struct rk_draft {
    uint64_t head; /* from and flags */
    uint32_t type;
    uint32_t correlation;
    uint64_t deadline_ns; /* 0: none */
} rk_draft;

rk_status rk_message_make(rk_origin *o, const rk_draft *draft, const void *payload, uint32_t length,
                          rk_message **out_message);
void rk_message_free(rk_origin *o, rk_message *m);
const void *rk_message_payload(const rk_message *m, uint32_t *out_length);
/* What options mean; RK_INVALID. */
rk_status rk_draft_options(rk_draft *draft, const rk_actor_send_options *options);
/* Delivers, or makes a dead letter of it; in an ordered system from outside it only lines up.
 * may_block lets the policy RK_ACTOR_FULL_BLOCK apply: returns RK_BUSY with the message untouched,
 * and the caller waits. */
rk_status rk_post_take(rk_origin *o, rk_actor_id to, rk_message *m, bool may_block);
/* Waits for room as the policy says: RK_OK: try again. */
rk_status rk_post_wait(rk_actor_system *sys, rk_actor_id to, uint64_t *deadline_ns);
/* False if the actor has ended. Control messages do not count as sent. */
bool rk_control_post(rk_origin *o, rk_actor_id to, rk_control control, const rk_control_body *body);
/* The same for a relative, whose record the caller may look at. */
bool rk_control_relative(rk_origin *o, rk_actor *to, rk_control control,
                         const rk_control_body *body);
/* Ordered, from outside: schedules an actor that the caller holds. */
void rk_control_wake(rk_origin *o, rk_actor *a);
/* Counts it as dead, keeps a letter, tells who asked, and frees it. */
void rk_message_bury(rk_origin *o, rk_actor_id to, rk_message *m, rk_deadletter_reason reason);
void rk_message_drop(rk_origin *o, rk_message *m);

/* --- mailbox.c --- */

void rk_levels_push(rk_levels *levels, rk_message *m);
rk_message *rk_levels_pop(rk_levels *levels);
/* Empties the inbox; a list, oldest first. Holder. */
rk_message *rk_inbox_grab(rk_actor *a);
/* Takes the inbox behind what is pending; sorts if something in it has to be. Holder. */
void rk_inbox_take(rk_actor *a);
/* The same, and merges pending messages into the queue if there is one in use. Holder. */
void rk_inbox_sort(rk_actor *a);
/* After rk_inbox_sort: the next control message, or NULL. Holder. */
rk_message *rk_inbox_control(rk_actor *a);
/* With RK_CTL_QUEUED: the next message of the queue. Holder. */
rk_message *rk_inbox_queued(rk_actor *a);
/* Gives the actor up if its mailbox has nothing to run: true. Holder; afterwards no more. */
bool rk_inbox_release(rk_actor *a);
/* A message left the mailbox of a limited actor. Holder. */
void rk_inbox_left(rk_actor *a);
/* Closes the inbox for ever; everything in the mailbox becomes dead letters. False: a child has to
 * be adopted first. Holder. */
bool rk_inbox_close(rk_origin *o, rk_actor *a, rk_actor_id id, rk_deadletter_reason reason);
/* Frees what is left in all mailboxes, untold. No worker runs any more. */
void rk_inbox_free_all(rk_actor_system *sys);
/* For RK_CTL_BOX: the next message, or NULL. Holder. */
rk_message *rk_box_pop(rk_actor *a);
/* Adds to the box and drops the oldest (*out_dropped) if it was full. False: the actor has ended.
 * */
bool rk_box_push(rk_actor *a, rk_actor_id id, uint32_t limit, rk_message *m,
                 rk_message **out_dropped, bool *out_schedule);

/* --- run.c --- */

/* Runs the actor until its mailbox is empty or its share is used up. True: it is still runnable. */
bool rk_run_free(rk_worker *w, rk_actor *a);
/* Finishes what a handler left by a panic. */
void rk_run_panicked(rk_actor_ctx *ctx);
/* Calls f(ctx); after a panic ctx->panicked is true and the result RK_PANIC. */
rk_status rk_run_guarded(rk_actor_ctx *ctx, rk_status (*f)(rk_actor_ctx *ctx));
void rk_run_enter(rk_worker *w, rk_actor *a);
/* Handles one message of the actor in hand and frees it. */
void rk_run_message(rk_actor_ctx *ctx, rk_message *m);

/* --- spawn.c --- */

rk_status rk_life_spawn(rk_origin *o, rk_actor *parent, rk_actor_type_id type,
                        const rk_actor_spawn_options *options, rk_actor_id *out_id);
/* Fills the state as for a new actor. */
void rk_life_state_init(const rk_type_entry *type, rk_actor *a);
void rk_life_arg_free(rk_actor *a);
/* One actor less against the limit. */
void rk_life_dismiss(rk_actor_system *sys);

/* --- life.c --- */

void rk_life_start(rk_actor_ctx *ctx);
void rk_life_fail(rk_actor_ctx *ctx, rk_actor_reason reason, rk_status code, const char *text);
/* Works towards a goal; takes the children down first. */
void rk_life_go(rk_actor_ctx *ctx, rk_goal goal, rk_actor_reason reason, rk_status code);
/* No child is left: does what the goal says. */
void rk_life_arrive(rk_actor_ctx *ctx, rk_goal goal, rk_actor_reason reason, rk_status code);
void rk_life_restart(rk_actor_ctx *ctx, rk_actor_reason reason);
/* Ordered: the rest of ending, between turns. */
void rk_life_close(rk_origin *o, rk_actor *a);
/* An adoption that came to nothing: the child becomes a root and is killed. */
void rk_life_orphan(rk_origin *o, uint32_t child);
/* Handles and frees a control message; ctx->self is NULL afterwards if the actor has ended. */
void rk_life_control(rk_actor_ctx *ctx, rk_message *m);
void rk_event_emit(rk_actor_system *sys, const rk_actor *a, rk_actor_id id,
                   rk_actor_event_kind kind, rk_actor_reason reason, rk_status code,
                   const char *text);

/* --- supervisor.c --- */

/* Adds the youngest child. RK_NO_MEMORY. Holder of the parent. */
rk_status rk_family_add(const rk_actor_system *sys, rk_actor *parent, rk_actor *child);
/* What a child tells its parent. */
void rk_family_control(rk_actor_ctx *ctx, rk_control control, const rk_control_body *body);
/* Kills (stop: stops) all children. */
void rk_family_down(rk_actor_ctx *ctx, bool stop);
/* The actor in hand has no family worth asking, or one with no child in it. */
bool rk_family_empty(const rk_actor *a);
/* Notes a restart; false: too many in the window. */
bool rk_intensity_note(rk_intensity *intensity, const rk_actor_type *type, uint64_t now_ns);

/* --- sched.c, turns.c --- */

/* Puts a runnable actor (its scheduled bit was just set) on a list. */
void rk_schedule(rk_origin *o, rk_actor *a);
void rk_sched_main(void *worker);
void rk_sched_wake_all(rk_actor_system *sys);
/* Something is due earlier than the parked workers know. */
void rk_sched_wake_keeper(rk_actor_system *sys);
bool rk_sched_is_idle(rk_actor_system *sys);

rk_status rk_turns_init(rk_actor_system *sys);
void rk_turns_finish(rk_actor_system *sys);
void rk_turns_main(void *worker);
void rk_turns_activate(rk_origin *o, rk_actor *a);
/* Lines up what comes from outside. */
rk_status rk_turns_post_take(rk_actor_system *sys, rk_actor_id to, rk_message *m);
/* Wakes the workers to look at what lined up, or at the clock. */
void rk_turns_kick(rk_actor_system *sys);
void rk_turns_tick(rk_actor_system *sys);
bool rk_turns_is_idle(rk_actor_system *sys);
void rk_turns_defer_close(rk_worker *w, rk_actor *a);
void rk_turns_defer_give(rk_worker *w, rk_actor *a);
rk_status rk_turns_defer_name(rk_worker *w, const char *name, rk_actor_id id);
uint64_t rk_turns_now_ns(const rk_actor_system *sys);
uint64_t rk_turns_count(const rk_actor_system *sys);

/* --- timer.c --- */

rk_status rk_timers_init(rk_actor_system *sys);
void rk_timers_finish(rk_actor_system *sys);
/* Fires what is due. */
void rk_timers_fire(rk_origin *o, uint64_t now_ns);
rk_status rk_timers_send_after(rk_origin *o, rk_actor_id owner, uint16_t owner_restarts,
                               rk_actor_id to, uint64_t delay_ns, rk_message *m,
                               rk_actor_timer *out_timer);
rk_status rk_timers_cancel(rk_origin *o, rk_actor_timer timer);
/* --- ask.c --- */

/* Starts an ask of an actor, or of a future (whose reference it takes). */
rk_status rk_asks_begin(rk_origin *o, rk_actor_id asker, uint16_t asker_restarts,
                        rk_actor_future *future, uint64_t due_ns, uint32_t *out_correlation);
/* The request was sent, or not. What failed meanwhile is told now. */
void rk_asks_sent(rk_origin *o, uint32_t correlation, bool sent);
/* Ends an actor's ask: true if it was still open. */
bool rk_asks_end(rk_origin *o, uint32_t correlation, rk_actor_id asker, uint16_t restarts);
/* Hands a reply to a future; RK_NOT_FOUND: nobody waits. */
rk_status rk_asks_reply(rk_origin *o, uint32_t correlation, uint32_t type, const void *payload,
                        uint32_t length);
/* The request of this ask has died. */
void rk_asks_fail(rk_origin *o, uint32_t correlation, rk_actor_id asker, rk_status status);

/* --- beat.c --- */

void rk_beats_watch(rk_origin *o, rk_actor *a, rk_actor_id id, const rk_type_entry *type);
void rk_beats_forget(rk_actor_system *sys, rk_actor *a);

/* --- registry.c --- */

rk_status rk_registry_init(rk_actor_system *sys);
void rk_registry_finish(rk_actor_system *sys);
rk_status rk_registry_add(rk_actor_system *sys, const char *name, rk_actor_id id);
rk_status rk_registry_remove(rk_actor_system *sys, const char *name);
/* Removes all names of an actor. */
void rk_registry_forget(rk_actor_system *sys, rk_actor_id id);

#endif
