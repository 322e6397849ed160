/* SPDX-License-Identifier: MIT */
/* The status as JSON. Keys are an interface: never rename one. */
#include <inttypes.h>
#include <string.h>

#include "agent/cli/dump.h"
#include "agent/cli/status.h"
#include "agent/event/ecs.h"
#include "agent/event/kinds.h"
#include "agent/event/text.h"

const char *status_state_name(uint32_t state)
{
	switch (state) {
	case RW_STATE_ENABLED:
		return "enabled";
	case RW_STATE_ARMING:
		return "arming";
	case RW_STATE_ARMED:
		return "armed";
	default:
		return "unknown";
	}
}

const char *status_cpu_state_name(uint32_t state)
{
	switch (state) {
	case RW_CPU_OUTSIDE:
		return "outside";
	case RW_CPU_INSIDE:
		return "inside";
	case RW_CPU_WAIT_SIPI:
		return "wait-sipi";
	case RW_CPU_STOPPED:
		return "stopped";
	default:
		return "unknown";
	}
}

static json_t *hex_bytes(const uint8_t *bytes, size_t size)
{
	char text[2 * RW_SHA256_SIZE + 1];

	text_hex(text, bytes, size);
	return json_string(text);
}

static uint32_t rule_count(const struct rw_status *status)
{
	return status->policy_rules < RW_STATUS_RULES ? status->policy_rules :
							RW_STATUS_RULES;
}

static void reasons_of_rules(json_t **reasons, const struct rw_status *status)
{
	char name[RW_POLICY_NAME_SIZE + 1];

	for (uint32_t i = 0; i < rule_count(status); i++) {
		const struct rw_status_rule *rule = &status->rules[i];

		text_name(name, sizeof(name), rule->name, RW_POLICY_NAME_SIZE);
		if (!rule->pages)
			ecs_append(reasons,
				   json_sprintf("rule %s protects no page",
						name));
		if (!mode_name(rule->mode))
			ecs_append(reasons,
				   json_sprintf("rule %s has no known mode",
						name));
	}
	if (status->policy_rules > RW_STATUS_RULES)
		ecs_append(reasons,
			   json_sprintf("only %u of %" PRIu32
					" rules are shown",
					RW_STATUS_RULES, status->policy_rules));
}

json_t *status_reasons(const struct status_report *report)
{
	const struct rw_status *status = &report->monitor;
	json_t *reasons = json_array();

	if (!report->has_monitor)
		return reasons;
	if (status->state == RW_STATE_ARMING)
		ecs_append(
			&reasons,
			json_string(
				"protections are not yet seen by every CPU"));
	for (uint32_t i = 0; i < report->cpu_count; i++)
		if (report->cpus[i].state != RW_CPU_INSIDE &&
		    report->cpus[i].state != RW_CPU_WAIT_SIPI)
			ecs_append(
				&reasons,
				json_sprintf("cpu %" PRIu32 " is %s",
					     report->cpus[i].cpu,
					     status_cpu_state_name(
						     report->cpus[i].state)));
	if (report->cpu_count != status->cpus ||
	    report->driver.cpus != status->cpus)
		ecs_append(&reasons,
			   json_sprintf("%" PRIu32 " of %" PRIu32
					" CPUs were taken",
					status->cpus, report->driver.cpus));
	if (status->events_lost)
		ecs_append(&reasons,
			   json_sprintf("%" PRIu64 " records were lost",
					status->events_lost));
	reasons_of_rules(&reasons, status);
	return reasons;
}

static json_t *json_exits(const struct rw_cpu_status *cpu)
{
	json_t *exits = json_object();

	for (uint32_t i = 0; i < RW_EXIT_REASONS; i++) {
		const char *name = exit_reason_name(i);
		char number[16];

		if (!cpu->exit[i])
			continue;
		snprintf(number, sizeof(number), "reason %" PRIu32, i);
		if (json_object_set_new(
			    exits, name ? name : number,
			    json_integer(ecs_number(cpu->exit[i])))) {
			json_decref(exits);
			return NULL;
		}
	}
	return exits;
}

static json_t *json_cpus(const struct status_report *report)
{
	json_t *cpus = json_array();

	for (uint32_t i = 0; i < report->cpu_count; i++) {
		const struct rw_cpu_status *cpu = &report->cpus[i];

		ecs_append(&cpus,
			   json_pack("{s:I s:I s:s s:I s:I s:I s:o}", "cpu",
				     (json_int_t)cpu->cpu, "apic_id",
				     (json_int_t)cpu->apic_id, "state",
				     status_cpu_state_name(cpu->state), "exits",
				     ecs_number(cpu->exits), "nmis",
				     ecs_number(cpu->nmis), "steps",
				     ecs_number(cpu->steps), "exits_by_reason",
				     json_exits(cpu)));
	}
	return cpus;
}

static json_t *json_rules(const struct rw_status *status)
{
	json_t *rules = json_array();
	char name[RW_POLICY_NAME_SIZE + 1];

	for (uint32_t i = 0; i < rule_count(status); i++) {
		static const char *const actions[] = { "unknown", "allow",
						       "fault", "discard" };
		const struct rw_status_rule *rule = &status->rules[i];
		const char *mode = mode_name(rule->mode);
		unsigned int action = rule->action;

		text_name(name, sizeof(name), rule->name, RW_POLICY_NAME_SIZE);
		ecs_append(&rules,
			   json_pack("{s:I s:s s:s s:s s:s s:b s:s s:I s:I}",
				     "id", (json_int_t)rule->id, "name", name,
				     "target", target_name(rule->target),
				     "mode", mode ? mode : "unknown", "action",
				     actions[action < 4 ? action : 0],
				     "text_poke",
				     rule->flags & RW_RULE_TEXT_POKE ? 1 : 0,
				     "severity",
				     severity_find(rule->severity)->name,
				     "pages", ecs_number(rule->pages), "hits",
				     ecs_number(rule->hits)));
	}
	return rules;
}

static json_t *json_policy(const struct rw_status *status)
{
	char name[RW_POLICY_NAME_SIZE + 1];

	if (!status->policy_serial)
		return json_null();
	text_name(name, sizeof(name), status->policy_name, RW_POLICY_NAME_SIZE);
	return json_pack(
		"{s:s s:I s:o s:o s:o s:b s:o}", "name", name, "serial",
		ecs_number(status->policy_serial), "digest",
		hex_bytes(status->policy_digest, RW_SHA256_SIZE), "key_id",
		hex_bytes(status->policy_key_id, RW_KEY_ID_SIZE), "build_id",
		hex_bytes(status->policy_build_id, RW_BUILD_ID_SIZE), "locked",
		status->policy_flags & RW_POLICY_LOCK ? 1 : 0, "rules",
		json_rules(status));
}

static json_t *json_monitor(const struct rw_status *status)
{
	static const char *const steps[] = { "none", "MTF", "TF" };

	return json_pack("{s:I s:s s:o s:s s:I s:I s:o s:I s:I s:I}",
			 "abi_version", (json_int_t)status->abi_version,
			 "state", status_state_name(status->state), "nonce",
			 hex_bytes(status->nonce, RW_SHA256_SIZE), "step",
			 steps[status->step < 3 ? status->step : 0], "cpus",
			 (json_int_t)status->cpus, "cpus_inside",
			 (json_int_t)status->cpus_inside, "kaslr_slide",
			 json_sprintf("0x%" PRIx64, status->kaslr_slide),
			 "text_pages", ecs_number(status->text_pages),
			 "rodata_pages", ecs_number(status->rodata_pages),
			 "hypercalls", ecs_number(status->hypercalls));
}

static json_t *json_driver(const struct rw_ioc_driver *driver)
{
	return json_pack("{s:I s:b s:b s:I s:I s:I}", "abi_version",
			 (json_int_t)driver->abi_version, "loaded",
			 driver->loaded != 0, "enabled", driver->enabled != 0,
			 "cpus", (json_int_t)driver->cpus, "delivered",
			 ecs_number(driver->delivered), "donated_bytes",
			 ecs_number(driver->donated));
}

static json_t *json_memory(const struct rw_status *status)
{
	return json_pack(
		"{s:I s:I s:I s:I s:I s:I s:I s:I s:I s:{s:I s:I s:I}}",
		"pages", ecs_number(status->memory_pages), "free",
		ecs_number(status->memory_free), "low_water",
		ecs_number(status->memory_low_water), "reserve",
		ecs_number(status->memory_reserve), "donated",
		ecs_number(status->memory_donated), "donations",
		ecs_number(status->memory_donations), "returns",
		ecs_number(status->memory_returns), "requests",
		ecs_number(status->memory_requests), "ept_tables",
		ecs_number(status->ept_tables), "ept_leaves", "4K",
		ecs_number(status->ept_leaves[0]), "2M",
		ecs_number(status->ept_leaves[1]), "1G",
		ecs_number(status->ept_leaves[2]));
}

static json_t *json_events(const struct rw_status *status)
{
	return json_pack("{s:I s:I s:I s:I s:I s:o}", "last",
			 ecs_number(status->events_last), "fetched",
			 ecs_number(status->events_acked), "lost",
			 ecs_number(status->events_lost), "coalesced",
			 ecs_number(status->events_coalesced), "ring",
			 ecs_number(status->events_ring), "chain",
			 hex_bytes(status->events_chain, RW_SHA256_SIZE));
}

json_t *status_json(const struct status_report *report)
{
	json_t *reasons = status_reasons(report);
	bool degraded = json_array_size(reasons) != 0;

	if (!report->has_monitor)
		return json_pack("{s:I s:b s:o s:o s:n}", "schema_version",
				 (json_int_t)1, "degraded", degraded, "reasons",
				 reasons, "driver",
				 json_driver(&report->driver), "monitor");
	return json_pack("{s:I s:b s:o s:o s:o s:o s:o s:o s:o}",
			 "schema_version", (json_int_t)1, "degraded", degraded,
			 "reasons", reasons, "driver",
			 json_driver(&report->driver), "monitor",
			 json_monitor(&report->monitor), "policy",
			 json_policy(&report->monitor), "cpus",
			 json_cpus(report), "memory",
			 json_memory(&report->monitor), "events",
			 json_events(&report->monitor));
}
