/* SPDX-License-Identifier: MIT */
/*
 * The daemon's configuration, from one YAML file. All of it is checked before
 * any of it is used; what is wrong is named with file and line. Says where
 * events go, never what the monitor does: mode, policy and serial are the
 * monitor's to report.
 */
#ifndef AGENT_DAEMON_CONFIG_H
#define AGENT_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_OUTPUTS	8
#define CONFIG_TEXT	256 /* bytes of a path or name with the NUL */
#define CONFIG_FILE_MAX 65536

enum config_type {
	CONFIG_JSON = 1,
	CONFIG_SYSLOG = 2,
};

/** When the file of events is brought to the disk. */
enum config_fsync {
	CONFIG_FSYNC_BATCH, /* after each batch of records: the default */
	CONFIG_FSYNC_EVENT, /* after each event */
	CONFIG_FSYNC_NEVER, /* when the kernel likes to */
};

enum config_transport {
	CONFIG_UDP,  /* RFC 5426, at most 2 KiB a message: the default */
	CONFIG_TCP,  /* RFC 6587, octet counting */
	CONFIG_UNIX, /* datagrams to a local socket */
};

/** One place events go to. Bytes not used are zero, so that memcmp() works. */
struct config_output {
	uint32_t type;		/* enum config_type */
	uint32_t fsync;		/* JSON: enum config_fsync */
	uint32_t transport;	/* syslog: enum config_transport */
	uint32_t facility;	/* syslog: 0 to 23 */
	uint32_t port;		/* syslog over UDP or TCP */
	uint32_t queue;		/* syslog: most messages kept in memory */
	char host[CONFIG_TEXT]; /* syslog over UDP or TCP: name or address */
	char path[CONFIG_TEXT]; /* JSON: file; syslog over unix: socket */
};

struct config {
	uint32_t heartbeat;	    /* seconds */
	bool symbols;		    /* look names up in the guest kernel */
	char hostname[CONFIG_TEXT]; /* empty: the host's own */
	char attack_version[16];
	char state[CONFIG_TEXT]; /* where the proof of the chain continues */
	struct config_output outputs[CONFIG_OUTPUTS];
	size_t output_count; /* at least 1 */
};

/** What is wrong, as "file:line: sentence". */
struct config_error {
	char text[512];
};

/** Reads a file; false, *config untouched and *error filled, if it is not right. */
bool config_read(struct config *config, const char *path,
		 struct config_error *error);

/** Does the same with text in memory; name stands for it in errors. */
bool config_parse(struct config *config, const char *text, size_t size,
		  const char *name, struct config_error *error);

/** "local0" of 16 and so on; NULL behind the last. */
const char *config_facility_name(unsigned int facility);

#endif
