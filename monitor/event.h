/* SPDX-License-Identifier: MIT */
/*
 * The record of what happened: numbered, chained, kept until fetched. Owns the
 * ring, the numbering, the chain and the doorbell; never forgets that something
 * was lost, never blocks the CPU that reports.
 */
#ifndef MONITOR_EVENT_H
#define MONITOR_EVENT_H

#include <ringwall/error.h>
#include <ringwall/event.h>
#include <ringwall/status.h>

struct pcpu;

/** Starts the chain with the nonce and finds the doorbell. */
void event_init(const uint8_t nonce[RW_SHA256_SIZE]);

/**
 * Records *e; sequence, time, CPU state, count, policy serial and chain are
 * filled in here. Hits with the same kind, rule, page and alias (without one the
 * same detail, of a register its number) and RIP within a window are counted
 * and recorded together.
 */
void event_record(struct pcpu *cpu, struct rw_event *e);

/** Shorthands. */
void event_register(struct pcpu *cpu, uint32_t msr, uint64_t value);
void event_hypercall(struct pcpu *cpu, uint64_t number, enum rw_error error);
void event_notice(struct pcpu *cpu, enum rw_event_kind kind, uint64_t detail0,
		  uint64_t detail1);

/** From a CPU that is about to stop: gives up rather than wait for a lock. */
void event_monitor_fault(struct pcpu *cpu);

/**
 * Drops the records up to sequence `after`, copies at most `max` of the next
 * ones to *to and returns how many.
 */
uint32_t event_fetch(uint64_t after, struct rw_event *to, uint32_t max);

/** Fills in the event part of the status. */
void event_status(struct rw_status *ret);

#endif
