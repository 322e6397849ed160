/* SPDX-License-Identifier: MIT */
/*
 * Proof that no record of the monitor is missing or changed: the sequence has no
 * hole that a LOST record does not explain, and every record continues the
 * SHA-256 chain that starts with the nonce (see <ringwall/event.h>). Knows
 * nothing of where records come from or go to.
 */
#ifndef AGENT_EVENT_CHAIN_H
#define AGENT_EVENT_CHAIN_H

#include <ringwall/event.h>

/** Where the proof stands. */
struct chain {
	uint8_t nonce[RW_SHA256_SIZE]; /* of the monitor's boot */
	uint64_t sequence;	       /* of the last record seen, 0: none */
	uint8_t last[RW_SHA256_SIZE];  /* its chain value, or the nonce */
};

enum chain_verdict {
	CHAIN_OK,      /* the next record, unchanged */
	CHAIN_MISSING, /* records before it are missing, or it came twice */
	CHAIN_BROKEN,  /* it is the next one, and not what was chained */
};

/** Starts before the first record of a boot. */
void chain_start(struct chain *chain, const uint8_t nonce[RW_SHA256_SIZE]);

/**
 * Judges the next record without moving on. After a hole the chain itself
 * cannot be judged, so CHAIN_MISSING goes before CHAIN_BROKEN.
 */
enum chain_verdict chain_check(const struct chain *chain,
			       const struct rw_event *record);

/** Moves on to a record, whatever was found of it. */
void chain_advance(struct chain *chain, const struct rw_event *record);

/**
 * Reads what chain_save() wrote, so that a new agent continues where the old one
 * stopped. 0; -1 if there is no such file or it is damaged, *chain untouched.
 */
int chain_load(struct chain *chain, const char *path);

/** Replaces the file at once or not at all; 0, or -1 with errno. */
int chain_save(const struct chain *chain, const char *path);

#endif
