/* SPDX-License-Identifier: MIT */
/*
 * ringwall policy load: hands a signed policy to the monitor, which alone
 * decides, and then compares what the monitor says is in force with the file.
 */
#include <stdio.h>
#include <string.h>

#include <ringwall/config.h>

#include "agent/device.h"
#include "agent/errors.h"
#include "agent/policy/command.h"
#include "agent/policy/files.h"
#include "policy/policy.h"

/** Is every rule of the policy in force with its mode and action? */
static bool rules_match(const struct policy *policy,
			const struct rw_status *status)
{
	if (policy->rule_count != status->policy_rules ||
	    policy->rule_count > RW_STATUS_RULES)
		return false;
	for (uint32_t i = 0; i < policy->rule_count; i++) {
		const struct rw_policy_rule *want = &policy->rule[i];
		const struct rw_status_rule *have = &status->rules[i];

		if (want->id != have->id || want->target != have->target ||
		    want->mode != have->mode || want->action != have->action ||
		    want->flags != have->flags || !have->pages)
			return false;
	}
	return true;
}

/** What is in force, told by the monitor, against what was asked for. */
static enum rw_error compare(const struct file *file,
			     struct rw_status *ret_status)
{
	uint8_t digest[RW_SHA256_SIZE];
	struct policy policy;
	size_t body_size;
	enum rw_error error;

	if (file->size < sizeof(struct rw_policy_trailer))
		return RW_E_POLICY_SIZE;
	body_size = file->size - sizeof(struct rw_policy_trailer);
	error = device_status(ret_status);
	if (!error)
		error = policy_parse(file->data, body_size, &policy);
	if (error)
		return error;
	policy_digest(file->data, body_size, digest);
	if (ret_status->state != RW_STATE_ARMED ||
	    memcmp(digest, ret_status->policy_digest, sizeof(digest)) ||
	    !rules_match(&policy, ret_status))
		return RW_E_POLICY_MODE;
	return RW_OK;
}

static int load(const char *path, const struct file *file)
{
	struct rw_status status;
	enum rw_state state;
	enum rw_error error;

	error = device_policy_load(file->data, file->size, &state);
	if (!error)
		error = compare(file, &status);
	if (error)
		return command_refused(path, error);
	printf("%s: in force on %u CPUs, policy %.*s, serial %ju, %u rules\n",
	       path, status.cpus, (int)sizeof(status.policy_name),
	       status.policy_name, (uintmax_t)status.policy_serial,
	       status.policy_rules);
	return EXIT_CODE_OK;
}

int policy_load(int argc, char **argv)
{
	const char *path = NULL;
	const struct command_line line = { "ringwall policy load FILE.rwp",
					   NULL, 0, &path, NULL };
	struct problem why;
	struct file file;
	bool done;
	int status = command_parse(&line, argc, argv, &done);

	if (done)
		return status;
	if (!file_read(path, CONFIG_RINGWALL_POLICY_MAX_SIZE, &file, &why))
		return command_failed(EXIT_CODE_ERROR, &why);
	status = load(path, &file);
	file_free(&file);
	return status;
}
