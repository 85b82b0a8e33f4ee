/*
 * ringkernel.h: the host API of libringkernel, all of it. Include single headers where less is
 * enough; kernels include <ringkernel/kernel.h> instead.
 */
#ifndef RINGKERNEL_RINGKERNEL_H
#define RINGKERNEL_RINGKERNEL_H

#include <ringkernel/actor.h>
#include <ringkernel/actor_system.h>
#include <ringkernel/attach.h>
#include <ringkernel/attach_actors.h>
#include <ringkernel/command.h>
#include <ringkernel/deadletter.h>
#include <ringkernel/fabric.h>
#include <ringkernel/link.h>
#include <ringkernel/mailbox.h>
#include <ringkernel/module.h>
#include <ringkernel/pool.h>
#include <ringkernel/profile.h>
#include <ringkernel/pubsub.h>
#include <ringkernel/request.h>
#include <ringkernel/resident.h>
#include <ringkernel/runtime.h>
#include <ringkernel/schema.h>
#include <ringkernel/status.h>
#include <ringkernel/telemetry.h>
#include <ringkernel/topology.h>
#include <ringkernel/trace.h>
#include <ringkernel/version.h>

#endif
