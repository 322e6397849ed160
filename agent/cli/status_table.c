/* SPDX-License-Identifier: MIT */
/* The status for people: what matters first on top. */
#include <inttypes.h>
#include <string.h>

#include "agent/cli/dump.h"
#include "agent/cli/status.h"
#include "agent/event/kinds.h"
#include "agent/event/text.h"

static void print_reasons(FILE *to, const struct status_report *report)
{
	json_t *reasons = status_reasons(report);
	json_t *reason;
	size_t i;

	json_array_foreach(reasons, i, reason)
		fprintf(to, "degraded   %s\n", json_string_value(reason));
	json_decref(reasons);
}

static void print_policy(FILE *to, const struct rw_status *status)
{
	char name[RW_POLICY_NAME_SIZE + 1], digest[2 * RW_SHA256_SIZE + 1];
	char key_id[2 * RW_KEY_ID_SIZE + 1];

	if (!status->policy_serial) {
		fputs("policy     none in force\n", to);
		return;
	}
	text_name(name, sizeof(name), status->policy_name, RW_POLICY_NAME_SIZE);
	text_hex(digest, status->policy_digest, RW_SHA256_SIZE);
	text_hex(key_id, status->policy_key_id, RW_KEY_ID_SIZE);
	fprintf(to, "policy     %s, serial %" PRIu64 "%s\n", name,
		status->policy_serial,
		status->policy_flags & RW_POLICY_LOCK ? ", locked" : "");
	fprintf(to, "           sha256 %s\n           key %s\n", digest,
		key_id);
	for (uint32_t i = 0; i < status->policy_rules && i < RW_STATUS_RULES;
	     i++) {
		const struct rw_status_rule *rule = &status->rules[i];
		const char *mode = mode_name(rule->mode);

		text_name(name, sizeof(name), rule->name, RW_POLICY_NAME_SIZE);
		fprintf(to,
			"rule %-5" PRIu32 " %-20s %-14s %-8s %6" PRIu64
			" pages %8" PRIu64 " hits\n",
			rule->id, name, target_name(rule->target),
			mode ? mode : "unknown", rule->pages, rule->hits);
	}
}

static void print_cpu(FILE *to, const struct rw_cpu_status *cpu)
{
	fprintf(to,
		"cpu %-6" PRIu32 " %-9s %10" PRIu64 " exits %6" PRIu64
		" NMIs %6" PRIu64 " steps\n",
		cpu->cpu, status_cpu_state_name(cpu->state), cpu->exits,
		cpu->nmis, cpu->steps);
	for (uint32_t i = 0; i < RW_EXIT_REASONS; i++) {
		const char *name = exit_reason_name(i);

		if (cpu->exit[i])
			fprintf(to,
				"           %2" PRIu32 " %-30s %10" PRIu64 "\n",
				i, name ? name : "unknown", cpu->exit[i]);
	}
}

static void print_monitor(FILE *to, const struct status_report *report)
{
	const struct rw_status *status = &report->monitor;
	char nonce[2 * RW_SHA256_SIZE + 1];

	text_hex(nonce, status->nonce, RW_SHA256_SIZE);
	print_policy(to, status);
	fprintf(to,
		"kernel     slide 0x%" PRIx64 ", text %" PRIu64
		" pages, rodata %" PRIu64 " pages\n",
		status->kaslr_slide, status->text_pages, status->rodata_pages);
	fprintf(to,
		"memory     %" PRIu64 " pages, %" PRIu64 " free, %" PRIu64
		" at the lowest, reserve %" PRIu64 "\n",
		status->memory_pages, status->memory_free,
		status->memory_low_water, status->memory_reserve);
	fprintf(to,
		"donated    %" PRIu64 " of the pages, by %" PRIu64
		" donations and %" PRIu64 " returns, asked for %" PRIu64
		" times\n",
		status->memory_donated, status->memory_donations,
		status->memory_returns, status->memory_requests);
	fprintf(to,
		"EPT        %" PRIu64 " tables, leaves: %" PRIu64
		" of 4K, %" PRIu64 " of 2M, %" PRIu64 " of 1G\n",
		status->ept_tables, status->ept_leaves[0],
		status->ept_leaves[1], status->ept_leaves[2]);
	fprintf(to,
		"events     last %" PRIu64 ", fetched %" PRIu64
		", lost %" PRIu64 ", coalesced %" PRIu64 "\n",
		status->events_last, status->events_acked, status->events_lost,
		status->events_coalesced);
	fprintf(to, "nonce      %s\nhypercalls %" PRIu64 "\n", nonce,
		status->hypercalls);
	for (uint32_t i = 0; i < report->cpu_count; i++)
		print_cpu(to, &report->cpus[i]);
}

void status_print(FILE *to, const struct status_report *report)
{
	const struct rw_ioc_driver *driver = &report->driver;

	if (report->has_monitor)
		fprintf(to,
			"state      %s, %" PRIu32 " of %" PRIu32
			" CPUs inside\n",
			status_state_name(report->monitor.state),
			report->monitor.cpus_inside, report->monitor.cpus);
	else
		fprintf(to, "state      %s\n",
			driver->loaded ? "loaded, not enabled" : "not loaded");
	print_reasons(to, report);
	if (report->has_monitor)
		print_monitor(to, report);
	fprintf(to,
		"driver     ABI %" PRIu32 ", %" PRIu32 " CPUs, %" PRIu64
		" bytes donated, record %" PRIu64 " delivered\n",
		driver->abi_version, driver->cpus, driver->donated,
		driver->delivered);
}
