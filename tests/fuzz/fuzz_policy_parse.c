/* SPDX-License-Identifier: MIT */
/*
 * policy_parse() on anything: never reads outside, never changes its output on
 * failure, never accepts what the monitor must not see.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void check_kernel(const struct rw_policy_kernel *kernel)
{
	must(kernel->text_start >= POLICY_KERNEL_START);
	must(kernel->text_start < kernel->text_end);
	must(kernel->text_end <= kernel->rodata_start);
	must(kernel->rodata_start < kernel->rodata_end);
	must(kernel->rodata_end <= POLICY_KERNEL_END);
	must(!((kernel->text_start | kernel->text_end | kernel->rodata_start |
		kernel->rodata_end) &
	       4095));
	must(kernel->build_id_address >= kernel->rodata_start &&
	     kernel->build_id_address + RW_BUILD_ID_SIZE <= kernel->rodata_end);
}

static void check(const struct policy *policy, size_t size)
{
	size_t expected = sizeof(struct rw_policy_header) +
			  sizeof(struct rw_policy_kernel) +
			  policy->rule_count * sizeof(struct rw_policy_rule);

	must(policy->header.serial && size == expected);
	must(strnlen(policy->header.name, RW_POLICY_NAME_SIZE) <
	     RW_POLICY_NAME_SIZE);
	must(policy->rule_count && policy->rule_count <= RW_POLICY_MAX_RULES);
	check_kernel(&policy->kernel);
	for (uint32_t i = 0; i < policy->rule_count; i++) {
		const struct rw_policy_rule *rule = &policy->rule[i];

		must(rule->id && rule->severity >= 1 && rule->severity <= 5);
		must((rule->action == RW_ACTION_ALLOW) ==
		     (rule->mode == RW_MODE_AUDIT));
		must(!rule->flags || rule->target == RW_TARGET_KERNEL_TEXT);
		must(strnlen(rule->name, RW_POLICY_NAME_SIZE) <
		     RW_POLICY_NAME_SIZE);
	}
}

static void parse(const uint8_t *data, size_t size)
{
	struct policy policy, before;

	memset(&policy, 0x5a, sizeof(policy));
	before = policy;
	if (policy_parse(data, size, &policy))
		must(!memcmp(&policy, &before, sizeof(before)));
	else
		check(&policy, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t total = (uint32_t)size;
	uint8_t *copy;

	parse(data, size);
	if (size < sizeof(struct rw_policy_header))
		return 0;
	/* Once more with the size right, so that records are reached. */
	copy = malloc(size);
	must(copy);
	memcpy(copy, data, size);
	memcpy(copy + offsetof(struct rw_policy_header, total_size), &total,
	       sizeof(total));
	parse(copy, size);
	free(copy);
	return 0;
}
