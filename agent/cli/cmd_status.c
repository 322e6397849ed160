/* SPDX-License-Identifier: MIT */
/* status: asks the driver and the monitor, and judges. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli/cli.h"
#include "agent/cli/status.h"
#include "agent/device.h"

/* More CPUs than this the monitor cannot have (Kconfig). */
#define CPUS_MAX 256

static enum rw_error ask(struct status_report *report)
{
	enum rw_error error = device_driver(&report->driver);

	if (error != RW_OK || !report->driver.enabled)
		return error;
	error = device_status(&report->monitor);
	if (error != RW_OK)
		return error;
	if (report->monitor.cpus > CPUS_MAX)
		return RW_E_IO;
	report->cpus = calloc(report->monitor.cpus ? report->monitor.cpus : 1,
			      sizeof(*report->cpus));
	if (!report->cpus)
		return RW_E_NO_MEMORY;
	for (uint32_t cpu = 0; cpu < report->monitor.cpus; cpu++) {
		error = device_cpu_status(cpu, &report->cpus[cpu]);
		if (error != RW_OK)
			return error;
		report->cpu_count++;
	}
	report->has_monitor = true;
	return RW_OK;
}

static int judge(const struct status_report *report)
{
	json_t *reasons;
	int degraded;

	if (!report->has_monitor)
		return EXIT_CODE_ABSENT;
	reasons = status_reasons(report);
	degraded = !reasons || json_array_size(reasons);
	json_decref(reasons);
	return degraded ? EXIT_CODE_DEGRADED : EXIT_CODE_OK;
}

int cmd_status(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	enum cli_output output = CLI_TABLE;
	struct status_report report;
	enum rw_error error;
	int option, result;

	while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1)
		if (option != 'o' || !cli_output(optarg, &output))
			return EXIT_CODE_USAGE;
	if (optind < argc)
		return cli_usage("status takes no argument");

	memset(&report, 0, sizeof(report));
	error = ask(&report);
	if (error != RW_OK) {
		free(report.cpus);
		return cli_fail("status", error);
	}
	result = judge(&report);
	if (output == CLI_JSON)
		result = cli_print_json(status_json(&report), result);
	else
		status_print(stdout, &report);
	free(report.cpus);
	return result;
}
