/* SPDX-License-Identifier: MIT */
/*
 * What `ringwall status` shows: all of it as the driver and the monitor report
 * it, and a judgement whether the host is as protected as the monitor was told.
 */
#ifndef AGENT_CLI_STATUS_H
#define AGENT_CLI_STATUS_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include <ringwall/ioctl.h>

/** Everything that was asked. */
struct status_report {
	struct rw_ioc_driver driver;
	bool has_monitor; /* else nothing below says anything */
	struct rw_status monitor;
	struct rw_cpu_status *cpus; /* cpu_count of them */
	uint32_t cpu_count;
};

/**
 * Why the host is less protected than it should be: a new array of sentences,
 * empty if it is not; NULL without memory.
 */
json_t *status_reasons(const struct status_report *report);

/** All as one object with stable keys (docs/abi.md); a new reference, or NULL. */
json_t *status_json(const struct status_report *report);

/** The same for people. */
void status_print(FILE *to, const struct status_report *report);

/** "enabled", "arming", "armed". */
const char *status_state_name(uint32_t state);

/** "outside", "inside", "wait-sipi", "stopped". */
const char *status_cpu_state_name(uint32_t state);

#endif
