/* SPDX-License-Identifier: MIT */
/*
 * The tables of kinds, severities and ATT&CK ids. Codes and sentences of the
 * monitor's kinds come from <ringwall/event.h>, so that they are written once.
 */
#include <string.h>

#include "agent/event/kinds.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ECS event.category and event.type: lists that end with NULL. */
static const char *const category_attack[] = { "intrusion_detection", "host",
					       NULL };
static const char *const category_host[] = { "host", NULL };
static const char *const category_settings[] = { "configuration", "host",
						 NULL };
static const char *const category_settings_attack[] = { "intrusion_detection",
							"configuration", NULL };
static const char *const type_access[] = { "access", NULL };
static const char *const type_change[] = { "change", NULL };
static const char *const type_error[] = { "error", NULL };
static const char *const type_info[] = { "info", NULL };
static const char *const type_start[] = { "start", NULL };

/* Columns that <ringwall/event.h> does not have, by name of the kind. */
/* clang-format off */
#define ROW_VIOLATION \
	"alert", category_attack, type_change, "protected-memory-write", \
	"ringwall.violation", SEVERITY_HIGH, ATTACK_ROOTKIT
#define ROW_SELF_ACCESS \
	"alert", category_attack, type_access, "monitor-memory-access", \
	"ringwall.violation", SEVERITY_CRITICAL, ATTACK_DEFENSES
#define ROW_REGISTER \
	"alert", category_attack, type_change, "pinned-register-write", \
	"ringwall.violation", SEVERITY_HIGH, ATTACK_ESCALATION
#define ROW_HYPERCALL \
	"alert", category_attack, type_access, "hypercall-refused", \
	"ringwall.violation", SEVERITY_MEDIUM, ATTACK_DEFENSES
#define ROW_ENABLED \
	"event", category_host, type_start, "monitor-enabled", \
	"ringwall.lifecycle", SEVERITY_INFO, ATTACK_NONE
#define ROW_POLICY_LOADED \
	"event", category_settings, type_change, "policy-loaded", \
	"ringwall.lifecycle", SEVERITY_INFO, ATTACK_NONE
#define ROW_POLICY_REFUSED \
	"alert", category_settings_attack, type_change, "policy-refused", \
	"ringwall.lifecycle", SEVERITY_HIGH, ATTACK_DEFENSES
#define ROW_PATCH \
	"event", category_host, type_change, "kernel-text-patch", \
	"ringwall.patch", SEVERITY_INFO, ATTACK_NONE
#define ROW_TEST \
	"alert", category_host, type_info, "test-alert", \
	"ringwall.health", SEVERITY_INFO, ATTACK_NONE
#define ROW_LOST \
	"alert", category_host, type_info, "records-lost", \
	"ringwall.health", SEVERITY_HIGH, ATTACK_NONE
#define ROW_MONITOR_FAULT \
	"alert", category_host, type_error, "monitor-fault", \
	"ringwall.health", SEVERITY_CRITICAL, ATTACK_NONE
/* clang-format on */

static const struct kind_row kinds[] = {
#define X(name, number, code, text) { number, code, text, ROW_##name },
	RW_EVENT_KINDS(X)
#undef X
		{ AGENT_HEARTBEAT, "RW4001", "heartbeat", "state",
		  category_host, type_info, "heartbeat", "ringwall.health",
		  SEVERITY_INFO, ATTACK_NONE },
	{ AGENT_CHAIN_BROKEN, "RW4002", "chain of records broken", "alert",
	  category_attack, type_info, "record-chain-broken", "ringwall.health",
	  SEVERITY_CRITICAL, ATTACK_DEFENSES },
	{ AGENT_RECORDS_MISSING, "RW4003", "records missing", "alert",
	  category_attack, type_info, "records-missing", "ringwall.health",
	  SEVERITY_CRITICAL, ATTACK_DEFENSES },
	{ AGENT_RECORDS_DROPPED, "RW4004", "records dropped on the way out",
	  "alert", category_host, type_info, "records-dropped",
	  "ringwall.health", SEVERITY_MEDIUM, ATTACK_NONE },
	{ AGENT_MONITOR_SILENT, "RW4005", "monitor does not answer", "alert",
	  category_attack, type_info, "monitor-silent", "ringwall.health",
	  SEVERITY_CRITICAL, ATTACK_DEFENSES },
};

/* A monitor newer than this agent: loud, since nobody can say what it means. */
static const struct kind_row kind_unknown = {
	0,
	"RW0000",
	"record of a kind this agent does not know",
	"alert",
	category_host,
	type_info,
	"unknown-record",
	"ringwall.health",
	SEVERITY_HIGH,
	ATTACK_NONE
};

static const struct severity_row severities[] = {
	[SEVERITY_INFO] = { "info", "Informational", "informational", 1, 6,
			    21 },
	[SEVERITY_LOW] = { "low", "Notice", "notice", 2, 5, 21 },
	[SEVERITY_MEDIUM] = { "medium", "Warning", "warning", 3, 4, 47 },
	[SEVERITY_HIGH] = { "high", "Critical", "critical", 4, 2, 73 },
	[SEVERITY_CRITICAL] = { "critical", "Alert", "alert", 5, 1, 99 },
};

/* From attack.mitre.org: version 19 split Defense Evasion in two. */
static const struct {
	const char *version;
	struct attack_row row[ATTACK_DEFENSES + 1];
} attacks[] = {
	{ "18",
	  { [ATTACK_ROOTKIT] = { "TA0005", "Defense Evasion", "T1014",
				 "Rootkit", NULL, NULL },
	    [ATTACK_ESCALATION] = { "TA0004", "Privilege Escalation", "T1068",
				    "Exploitation for Privilege Escalation",
				    NULL, NULL },
	    [ATTACK_DEFENSES] = { "TA0005", "Defense Evasion", "T1562",
				  "Impair Defenses", "T1562.001",
				  "Disable or Modify Tools" } } },
	{ "19",
	  { [ATTACK_ROOTKIT] = { "TA0005", "Stealth", "T1014", "Rootkit", NULL,
				 NULL },
	    [ATTACK_ESCALATION] = { "TA0004", "Privilege Escalation", "T1068",
				    "Exploitation for Privilege Escalation",
				    NULL, NULL },
	    [ATTACK_DEFENSES] = { "TA0112", "Defense Impairment", "T1685",
				  "Disable or Modify Tools", NULL, NULL } } },
};

const struct severity_row *severity_find(uint32_t severity)
{
	if (severity < SEVERITY_INFO || severity > SEVERITY_CRITICAL)
		severity = SEVERITY_MEDIUM;
	return &severities[severity];
}

const struct kind_row *kind_at(size_t i)
{
	return i < COUNT(kinds) ? &kinds[i] : NULL;
}

const struct kind_row *kind_find(uint32_t kind)
{
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (kinds[i].kind == kind)
			return &kinds[i];
	return &kind_unknown;
}

const char *target_name(uint32_t target)
{
	switch (target) {
	case RW_TARGET_KERNEL_TEXT:
		return "kernel_text";
	case RW_TARGET_KERNEL_RODATA:
		return "kernel_rodata";
	default:
		return "unknown";
	}
}

const char *mode_name(uint32_t mode)
{
	switch (mode) {
	case RW_MODE_AUDIT:
		return "audit";
	case RW_MODE_ENFORCE:
		return "enforce";
	default:
		return NULL;
	}
}

const char *verdict_name(uint32_t verdict)
{
	switch (verdict) {
	case RW_VERDICT_ALLOWED:
		return "allowed";
	case RW_VERDICT_DENIED:
		return "denied";
	default:
		return "none";
	}
}

int attack_version_known(const char *version)
{
	for (size_t i = 0; i < COUNT(attacks); i++)
		if (!strcmp(attacks[i].version, version))
			return 1;
	return 0;
}

const struct attack_row *attack_find(const char *version, enum attack attack)
{
	if (attack == ATTACK_NONE)
		return NULL;
	for (size_t i = 0; i < COUNT(attacks); i++)
		if (!strcmp(attacks[i].version, version))
			return &attacks[i].row[attack];
	return NULL;
}
