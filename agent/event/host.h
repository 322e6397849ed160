/* SPDX-License-Identifier: MIT */
/*
 * Which host this is, as the host itself says: for the SIEM to group by, never
 * for a decision.
 */
#ifndef AGENT_EVENT_HOST_H
#define AGENT_EVENT_HOST_H

#define HOST_NAME_SIZE 256

struct host {
	char name[HOST_NAME_SIZE];
	char machine_id[64]; /* empty: none */
	char boot_id[64];
	char kernel[128]; /* uname -r */
};

/** Reads it; override is the name to report, or NULL or "" for the host's own. */
void host_read(struct host *host, const char *override);

#endif
