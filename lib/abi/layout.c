/*
 * layout.c: the table of shared layouts. One row per field, padding left out.
 */
#include "abi/layout.h"

#include <ringkernel/abi/command.h>
#include <ringkernel/abi/control.h>
#include <ringkernel/abi/hlc.h>
#include <ringkernel/abi/message.h>
#include <ringkernel/abi/ring.h>
#include <ringkernel/abi/slab.h>
#include <ringkernel/abi/trace.h>

#define FIELD(type, name)                                                                          \
    {                                                                                              \
#name, offsetof(type, name), sizeof(((type *)0)->name)                                     \
    }

static const rk_abi_field command_fields[] = {
    FIELD(rk_command, arg),
    FIELD(rk_command, data),
};

static const rk_abi_field inject_fields[] = {
    FIELD(rk_inject, value),
    FIELD(rk_inject, field),
    FIELD(rk_inject, mode),
};

static const rk_abi_field answer_fields[] = {
    FIELD(rk_answer, status),
    FIELD(rk_answer, level),
    FIELD(rk_answer, step),
    FIELD(rk_answer, value),
};

static const rk_abi_field counters_fields[] = {
    FIELD(rk_counters, step),         FIELD(rk_counters, remaining),
    FIELD(rk_counters, commands),     FIELD(rk_counters, messages_received),
    FIELD(rk_counters, k2k_sent),     FIELD(rk_counters, k2k_received),
    FIELD(rk_counters, k2k_refused),  FIELD(rk_counters, emitted),
    FIELD(rk_counters, emit_refused), FIELD(rk_counters, answers_lost),
    FIELD(rk_counters, busy_ns),      FIELD(rk_counters, idle_ns),
    FIELD(rk_counters, reserved),
};

static const rk_abi_field control_fields[] = {
    FIELD(rk_control, magic),
    FIELD(rk_control, abi_version),
    FIELD(rk_control, layout_hash),
    FIELD(rk_control, kernel_id),
    FIELD(rk_control, node),
    FIELD(rk_control, tenant),
    FIELD(rk_control, block_count),
    FIELD(rk_control, epoch),
    FIELD(rk_control, seed),
    FIELD(rk_control, arena_bytes),
    FIELD(rk_control, mapped_bytes),
    FIELD(rk_control, h2k),
    FIELD(rk_control, k2h),
    FIELD(rk_control, peer),
    FIELD(rk_control, slab),
    FIELD(rk_control, slab_bytes),
    FIELD(rk_control, routes),
    FIELD(rk_control, route_count),
    FIELD(rk_control, entry),
    FIELD(rk_control, params),
    FIELD(rk_control, fields),
    FIELD(rk_control, param_count),
    FIELD(rk_control, field_count),
    FIELD(rk_control, field_type),
    FIELD(rk_control, answer_reserve),
    FIELD(rk_control, message_batch),
    FIELD(rk_control, ticks_per_s),
    FIELD(rk_control, migrate_fields),
    FIELD(rk_control, migrate_hash),
    FIELD(rk_control, launch),
    FIELD(rk_control, poller),
    FIELD(rk_control, lease_steps),
    FIELD(rk_control, lease_polls),
    FIELD(rk_control, abort_before),
    FIELD(rk_control, bell),
    FIELD(rk_control, probe),
    FIELD(rk_control, pool),
    FIELD(rk_control, pool_bytes),
    FIELD(rk_control, state),
    FIELD(rk_control, reserved2),
    FIELD(rk_control, step),
    FIELD(rk_control, heartbeat),
    FIELD(rk_control, exit_code),
    FIELD(rk_control, exits),
    FIELD(rk_control, features),
    FIELD(rk_control, answers_dropped),
    FIELD(rk_control, probe_seen),
    FIELD(rk_control, probe_ticks),
    FIELD(rk_control, leased),
    FIELD(rk_control, counters),
    FIELD(rk_control, fault_kind),
    FIELD(rk_control, fault_code),
    FIELD(rk_control, fault_step),
    FIELD(rk_control, fault_address),
    FIELD(rk_control, fault_block),
    FIELD(rk_control, backtrace_count),
    FIELD(rk_control, backtrace),
    FIELD(rk_control, panic_text),
};

static const rk_abi_field route_fields[] = {
    FIELD(rk_route, peer),       FIELD(rk_route, kernel_id), FIELD(rk_route, tenant),
    FIELD(rk_route, generation), FIELD(rk_route, state),     FIELD(rk_route, sent),
    FIELD(rk_route, refused),    FIELD(rk_route, reserved),
};

static const rk_abi_field peer_fields[] = {
    FIELD(rk_peer, kernel_id), FIELD(rk_peer, tenant), FIELD(rk_peer, closed),
    FIELD(rk_peer, reserved),  FIELD(rk_peer, inbox),
};

static const rk_abi_field run_fields[] = {
    FIELD(rk_run, id),       FIELD(rk_run, target), FIELD(rk_run, interval),
    FIELD(rk_run, reserved), FIELD(rk_run, start),
};

static const rk_abi_field loop_fields[] = {
    FIELD(rk_loop, arrived),     FIELD(rk_loop, generation),
    FIELD(rk_loop, sleepers),    FIELD(rk_loop, op),
    FIELD(rk_loop, failed),      FIELD(rk_loop, trace),
    FIELD(rk_loop, step),        FIELD(rk_loop, budget),
    FIELD(rk_loop, paused),      FIELD(rk_loop, delivering),
    FIELD(rk_loop, run_head),    FIELD(rk_loop, run_count),
    FIELD(rk_loop, busy_since),  FIELD(rk_loop, emit_id),
    FIELD(rk_loop, abort_seen),  FIELD(rk_loop, h2k_head),
    FIELD(rk_loop, k2h_tail),    FIELD(rk_loop, k2h_head),
    FIELD(rk_loop, h2k_slots),   FIELD(rk_loop, k2h_slots),
    FIELD(rk_loop, lease_left),  FIELD(rk_loop, h2k_first),
    FIELD(rk_loop, k2h_first),   FIELD(rk_loop, heartbeat),
    FIELD(rk_loop, state_told),  FIELD(rk_loop, reserved),
    FIELD(rk_loop, probe_seen),  FIELD(rk_loop, asked),
    FIELD(rk_loop, counters),    FIELD(rk_loop, runs),
    FIELD(rk_loop, seen_tail),   FIELD(rk_loop, poller_leave),
    FIELD(rk_loop, seen_abort),  FIELD(rk_loop, trace_written),
    FIELD(rk_loop, trace_first), FIELD(rk_loop, trace_slots),
    FIELD(rk_loop, trace_mask),  FIELD(rk_loop, trace_every),
};

static const rk_abi_field trace_record_fields[] = {
    FIELD(rk_trace_record, ticks), FIELD(rk_trace_record, kind),  FIELD(rk_trace_record, name),
    FIELD(rk_trace_record, step),  FIELD(rk_trace_record, value),
};

static const rk_abi_field trace_ring_fields[] = {
    FIELD(rk_trace_ring, magic),
    FIELD(rk_trace_ring, slots),
    FIELD(rk_trace_ring, written),
};

static const rk_abi_field hlc_fields[] = {
    FIELD(rk_hlc, physical_us),
    FIELD(rk_hlc, logical),
    FIELD(rk_hlc, node),
};

static const rk_abi_field msg_header_fields[] = {
    FIELD(rk_msg_header, id),    FIELD(rk_msg_header, type),        FIELD(rk_msg_header, source),
    FIELD(rk_msg_header, flags), FIELD(rk_msg_header, correlation), FIELD(rk_msg_header, length),
};

static const rk_abi_field slot_fields[] = {
    FIELD(rk_slot, header),
    FIELD(rk_slot, payload),
};

static const rk_abi_field slab_ref_fields[] = {
    FIELD(rk_slab_ref, offset),     FIELD(rk_slab_ref, length),   FIELD(rk_slab_ref, crc),
    FIELD(rk_slab_ref, generation), FIELD(rk_slab_ref, reserved),
};

static const rk_abi_field envelope_fields[] = {
    FIELD(rk_envelope, magic),
    FIELD(rk_envelope, version),
    FIELD(rk_envelope, header_bytes),
    FIELD(rk_envelope, id),
    FIELD(rk_envelope, source_node),
    FIELD(rk_envelope, source_kernel),
    FIELD(rk_envelope, dest_node),
    FIELD(rk_envelope, dest_kernel),
    FIELD(rk_envelope, type),
    FIELD(rk_envelope, flags),
    FIELD(rk_envelope, source),
    FIELD(rk_envelope, tenant),
    FIELD(rk_envelope, hops),
    FIELD(rk_envelope, reserved0),
    FIELD(rk_envelope, epoch),
    FIELD(rk_envelope, time),
    FIELD(rk_envelope, correlation),
    FIELD(rk_envelope, deadline_us),
    FIELD(rk_envelope, trace_id),
    FIELD(rk_envelope, span_id),
    FIELD(rk_envelope, trace_flags),
    FIELD(rk_envelope, reserved1),
    FIELD(rk_envelope, tracestate_handle),
    FIELD(rk_envelope, audit_tag),
    FIELD(rk_envelope, nonce),
    FIELD(rk_envelope, tag),
    FIELD(rk_envelope, length),
    FIELD(rk_envelope, payload_crc),
    FIELD(rk_envelope, reserved2),
    FIELD(rk_envelope, header_crc),
};

static const rk_abi_field bell_fields[] = {
    FIELD(rk_bell, parked),
    FIELD(rk_bell, rung),
};

static const rk_abi_field ring_fields[] = {
    FIELD(rk_ring, magic),         FIELD(rk_ring, kind),          FIELD(rk_ring, capacity),
    FIELD(rk_ring, flags),         FIELD(rk_ring, slots),         FIELD(rk_ring, sequences),
    FIELD(rk_ring, consumer_bell), FIELD(rk_ring, producer_bell), FIELD(rk_ring, tail),
    FIELD(rk_ring, cached_head),   FIELD(rk_ring, refused),       FIELD(rk_ring, dropped),
    FIELD(rk_ring, high_water),    FIELD(rk_ring, head),          FIELD(rk_ring, cached_tail),
    FIELD(rk_ring, granted),       FIELD(rk_ring, bells),
};

static const rk_abi_field slab_block_fields[] = {
    FIELD(rk_slab_block, generation),
    FIELD(rk_slab_block, next),
};

static const rk_abi_field slab_class_fields[] = {
    FIELD(rk_slab_class, blocks),    FIELD(rk_slab_class, states),
    FIELD(rk_slab_class, count),     FIELD(rk_slab_class, block_bytes),
    FIELD(rk_slab_class, free_head), FIELD(rk_slab_class, in_use),
    FIELD(rk_slab_class, refused),
};

static const rk_abi_field slab_header_fields[] = {
    FIELD(rk_slab_header, magic),
    FIELD(rk_slab_header, class_count),
    FIELD(rk_slab_header, bytes),
    FIELD(rk_slab_header, classes),
};

#define LAYOUT(type, fields)                                                                       \
    {                                                                                              \
#type, sizeof(type), fields, RK_COUNT_OF(fields)                                           \
    }

const rk_abi_layout rk_abi_layouts[] = {
    LAYOUT(rk_command, command_fields),
    LAYOUT(rk_inject, inject_fields),
    LAYOUT(rk_answer, answer_fields),
    LAYOUT(rk_counters, counters_fields),
    LAYOUT(rk_control, control_fields),
    LAYOUT(rk_route, route_fields),
    LAYOUT(rk_peer, peer_fields),
    LAYOUT(rk_run, run_fields),
    LAYOUT(rk_loop, loop_fields),
    LAYOUT(rk_trace_record, trace_record_fields),
    LAYOUT(rk_trace_ring, trace_ring_fields),
    LAYOUT(rk_hlc, hlc_fields),
    LAYOUT(rk_msg_header, msg_header_fields),
    LAYOUT(rk_slot, slot_fields),
    LAYOUT(rk_slab_ref, slab_ref_fields),
    LAYOUT(rk_envelope, envelope_fields),
    LAYOUT(rk_bell, bell_fields),
    LAYOUT(rk_ring, ring_fields),
    LAYOUT(rk_slab_block, slab_block_fields),
    LAYOUT(rk_slab_class, slab_class_fields),
    LAYOUT(rk_slab_header, slab_header_fields),
};

const size_t rk_abi_layout_count = RK_COUNT_OF(rk_abi_layouts);
