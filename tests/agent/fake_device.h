/* SPDX-License-Identifier: MIT */
/*
 * A driver and a monitor that do what the test says, linked in the place of
 * agent/device_io.c. Numbers and chains records as a monitor does, by code of
 * its own.
 */
#ifndef TESTS_AGENT_FAKE_DEVICE_H
#define TESTS_AGENT_FAKE_DEVICE_H

#include <ringwall/ioctl.h>

#define FAKE_RECORDS 512
#define FAKE_CPUS    4

struct fake_device {
	int open_errno;	      /* open() fails with this */
	int ioctl_errno;      /* every ioctl fails with this */
	uint32_t error;	      /* every ioctl with an error member says this */
	uint32_t cpu;	      /* enable and disable name this CPU */
	uint64_t memory_done; /* bytes that RW_IOC_MEMORY claims, if it fails */
	uint64_t read_size; /* bytes that reading ioctls claim, 0: the truth */
	size_t read_cut;    /* read() gives so many bytes less */
	int read_errno;	    /* read() fails with this */

	struct rw_ioc_driver driver;
	struct rw_status status;
	struct rw_cpu_status cpus[FAKE_CPUS];
	const void *dump;
	size_t dump_size;

	struct rw_event records[FAKE_RECORDS]; /* to be read */
	size_t pushed, read;
	uint8_t chain[RW_SHA256_SIZE]; /* of the record pushed last */
	uint64_t sequence;	       /* the same */

	/* What was asked */
	unsigned int opens, closes, calls;
	int open_flags;
	unsigned long request;
	struct rw_ioc_load load;
	struct rw_ioc_policy policy;
	struct rw_ioc_call call;
	struct rw_ioc_memory memory;
};

extern struct fake_device fake;

/** A device that works, enabled and armed, without records. */
void fake_reset(void);

/** Starts a new boot of the monitor: another nonce, records from 1. */
void fake_boot(uint8_t nonce);

/** Adds a record; sequence and chain are filled in. */
void fake_push(const struct rw_event *record);

/** Adds a record as it is. */
void fake_push_raw(const struct rw_event *record);

/** Loses count records, as a full ring does, and adds the record that says so. */
void fake_lose(uint64_t count);

#endif
