/* SPDX-License-Identifier: MIT */
/*
 * What each kind of event is to a SIEM: the one table of kinds, of severities
 * and of MITRE ATT&CK ids. Nothing else in the agent decides how bad something
 * is or what it is called.
 */
#ifndef AGENT_EVENT_KINDS_H
#define AGENT_EVENT_KINDS_H

#include <stddef.h>

#include <ringwall/event.h>

/** Kinds that the agent itself writes; beside the monitor's enum rw_event_kind. */
enum agent_kind {
	AGENT_HEARTBEAT = 0x10001,
	AGENT_CHAIN_BROKEN = 0x10002,
	AGENT_RECORDS_MISSING = 0x10003,
	AGENT_RECORDS_DROPPED = 0x10004,
	AGENT_MONITOR_SILENT = 0x10005,
};

/** Severities of the policy, 1 to 5. */
enum severity {
	SEVERITY_INFO = 1,
	SEVERITY_LOW = 2,
	SEVERITY_MEDIUM = 3,
	SEVERITY_HIGH = 4,
	SEVERITY_CRITICAL = 5,
};

/** One severity in each language. */
struct severity_row {
	const char *name;
	const char *syslog_name;
	const char *level;   /* ECS log.level */
	unsigned int number; /* enum severity */
	unsigned int syslog; /* RFC 5424 severity */
	unsigned int ecs;    /* ECS event.severity */
};

/** The row of a severity; that of "medium" for a number that is none. */
const struct severity_row *severity_find(uint32_t severity);

/** What somebody who causes this event may be about, in ATT&CK's terms. */
enum attack {
	ATTACK_NONE,
	ATTACK_ROOTKIT,
	ATTACK_ESCALATION,
	ATTACK_DEFENSES, /* somebody works against the monitor */
};

struct kind_row {
	uint32_t kind;
	const char *code; /* "RW1001", for the SIEM's rules; ABI */
	const char *text;
	const char *ecs_kind;
	const char *const *category; /* ends with NULL */
	const char *const *type;     /* the same */
	const char *action;
	const char *dataset;
	enum severity severity; /* where the record names none */
	enum attack attack;
};

/** The row of a kind of either enum; one of its own for an unknown number. */
const struct kind_row *kind_find(uint32_t kind);

/** Number i of all kinds, NULL behind the last. */
const struct kind_row *kind_at(size_t i);

/** "kernel_text", "kernel_rodata"; "unknown" for a number that is none. */
const char *target_name(uint32_t target);

/** "audit", "enforce"; NULL for a number that is none. */
const char *mode_name(uint32_t mode);

/** "none", "allowed", "denied"; "none" for a number that is none. */
const char *verdict_name(uint32_t verdict);

/** ids and names in one version of the framework. */
struct attack_row {
	const char *tactic_id;
	const char *tactic;
	const char *technique_id;
	const char *technique;
	const char *subtechnique_id; /* NULL: none */
	const char *subtechnique;
};

/** The newest version known, used unless the configuration names another. */
#define ATTACK_VERSION_DEFAULT "19"

/** Whether a version of the framework is known. */
int attack_version_known(const char *version);

/** The ids of an attack in a known version; NULL for ATTACK_NONE. */
const struct attack_row *attack_find(const char *version, enum attack attack);

#endif
