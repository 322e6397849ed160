/* SPDX-License-Identifier: MIT */
/* policy/parse.c: what is accepted, and every way to be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/policy/sample.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Parses an exact-size copy, so that a sanitizer sees a read behind the end,
 * and checks that a failure left the output alone.
 */
static enum rw_error parse(const void *body, size_t size, struct policy *ret)
{
	struct policy before;
	uint8_t *copy = malloc(size ? size : 1);
	enum rw_error error;

	assert_non_null(copy);
	memcpy(copy, body, size);
	memset(ret, 0x5a, sizeof(*ret));
	before = *ret;
	error = policy_parse(copy, size, ret);
	if (error)
		assert_memory_equal(ret, &before, sizeof(before));
	free(copy);
	return error;
}

static enum rw_error parse_sample(const struct sample_body *body)
{
	struct policy policy;

	return parse(body, sizeof(*body), &policy);
}

static void a_good_policy_is_read_whole(void **state)
{
	struct sample_body body = sample_body();
	struct policy policy;

	(void)state;
	assert_int_equal(parse(&body, sizeof(body), &policy), RW_OK);
	assert_memory_equal(&policy.header, &body.header, sizeof(body.header));
	assert_memory_equal(&policy.kernel, &body.kernel, sizeof(body.kernel));
	assert_int_equal(policy.rule_count, 2);
	assert_memory_equal(&policy.rule[0], &body.text, sizeof(body.text));
	assert_memory_equal(&policy.rule[1], &body.rodata, sizeof(body.rodata));
}

static void alignment_and_order_of_records_do_not_matter(void **state)
{
	struct sample_body good = sample_body();
	struct {
		struct rw_policy_header header;
		struct rw_policy_rule rodata, text;
		struct rw_policy_kernel kernel;
	} other = { good.header, good.rodata, good.text, good.kernel };
	uint8_t odd[sizeof(other) + 1];
	struct policy policy;

	(void)state;
	_Static_assert(sizeof(other) == sizeof(good), "same records");
	memcpy(odd + 1, &other, sizeof(other));
	assert_int_equal(policy_parse(odd + 1, sizeof(other), &policy), RW_OK);
	assert_int_equal(policy.rule[0].id, 2);
	assert_int_equal(policy.rule[1].id, 1);
	assert_int_equal(policy.kernel.text_start, good.kernel.text_start);
}

static void one_rule_alone_in_either_mode_is_a_policy(void **state)
{
	struct sample_body body = sample_body();
	size_t size = offsetof(struct sample_body, rodata);
	struct policy policy;

	(void)state;
	body.header.total_size = (uint32_t)size;
	body.header.record_count = 2;
	assert_int_equal(parse(&body, size, &policy), RW_OK);
	body.text.mode = RW_MODE_AUDIT;
	body.text.action = RW_ACTION_ALLOW;
	body.text.flags = 0;
	body.header.flags = 0;
	assert_int_equal(parse(&body, size, &policy), RW_OK);
	assert_int_equal(policy.rule_count, 1);
}

static void every_truncation_is_refused(void **state)
{
	struct sample_body body = sample_body();
	struct policy policy;

	(void)state;
	for (size_t size = 0; size < sizeof(body); size++)
		assert_int_equal(parse(&body, size, &policy), RW_E_POLICY_SIZE);
	/* And with a header that agrees to the cut. */
	for (size_t size = sizeof(body.header); size < sizeof(body); size++) {
		body.header.total_size = (uint32_t)size;
		assert_int_equal(parse(&body, size, &policy), RW_E_POLICY_SIZE);
	}
}

static void bytes_behind_the_last_record_are_refused(void **state)
{
	struct {
		struct sample_body body;
		uint64_t more;
	} longer = { sample_body(), 0 };
	struct policy policy;

	(void)state;
	assert_int_equal(parse(&longer, sizeof(longer), &policy),
			 RW_E_POLICY_SIZE);
	longer.body.header.total_size = sizeof(longer);
	assert_int_equal(parse(&longer, sizeof(longer), &policy),
			 RW_E_POLICY_SIZE);
	longer.body.header.record_count = 2;
	assert_int_equal(parse(&longer, sizeof(longer), &policy),
			 RW_E_POLICY_SIZE);
}

/** One field of the sample set to one value, and what must come of it. */
struct spoiled {
	const char *what;
	size_t offset;
	size_t size;
	uint64_t value;
	enum rw_error error;
};

#define FIELD(field, value, error)                                             \
	{                                                                      \
#field " = " #value, offsetof(struct sample_body, field),      \
			sizeof(((struct sample_body *)0)->field), value, error \
	}

static const struct spoiled spoiled_fields[] = {
	FIELD(header.magic, RW_POLICY_MAGIC + 1, RW_E_POLICY_MAGIC),
	FIELD(header.version, 0, RW_E_POLICY_VERSION),
	FIELD(header.version, 2, RW_E_POLICY_VERSION),
	FIELD(header.header_size, 63, RW_E_POLICY_SIZE),
	FIELD(header.header_size, 72, RW_E_POLICY_SIZE),
	FIELD(header.total_size, 0, RW_E_POLICY_SIZE),
	FIELD(header.total_size, 0xffffffff, RW_E_POLICY_SIZE),
	FIELD(header.serial, 0, RW_E_POLICY_FIELD),
	FIELD(header.flags, 2, RW_E_POLICY_FIELD),
	FIELD(header.flags, 0x80000001, RW_E_POLICY_FIELD),
	FIELD(header.record_count, 0, RW_E_POLICY_SIZE),
	FIELD(header.record_count, 2, RW_E_POLICY_SIZE),
	FIELD(header.record_count, 4, RW_E_POLICY_SIZE),
	FIELD(header.record_count, 0xffffffff, RW_E_POLICY_SIZE),
	FIELD(header.name[0], 0, RW_E_POLICY_FIELD),
	FIELD(header.name[3], 0, RW_E_POLICY_FIELD), /* text behind the end */
	FIELD(header.name[2], ' ', RW_E_POLICY_FIELD),
	FIELD(header.name[2], '\n', RW_E_POLICY_FIELD),
	FIELD(header.name[2], 0x7f, RW_E_POLICY_FIELD),
	FIELD(header.name[2], 0xc3, RW_E_POLICY_FIELD),
	FIELD(header.name[31], 'x', RW_E_POLICY_FIELD),

	FIELD(kernel.record.type, 0, RW_E_POLICY_RECORD),
	FIELD(kernel.record.type, 3, RW_E_POLICY_RECORD),
	FIELD(kernel.record.type, 0xffffffff, RW_E_POLICY_RECORD),
	FIELD(kernel.record.type, RW_RECORD_RULE, RW_E_POLICY_SIZE),
	FIELD(kernel.record.size, 0, RW_E_POLICY_SIZE),
	FIELD(kernel.record.size, 8, RW_E_POLICY_SIZE),
	FIELD(kernel.record.size, 64, RW_E_POLICY_SIZE),
	FIELD(kernel.record.size, 73, RW_E_POLICY_SIZE),
	FIELD(kernel.record.size, 80, RW_E_POLICY_SIZE),
	FIELD(kernel.record.size, 0xfffffff8, RW_E_POLICY_SIZE),
	FIELD(kernel.reserved, 1, RW_E_POLICY_FIELD),
	FIELD(kernel.text_start, 0, RW_E_POLICY_FIELD),
	FIELD(kernel.text_start, 0xffffffff81000001, RW_E_POLICY_FIELD),
	FIELD(kernel.text_start, 0xffffffff81000800, RW_E_POLICY_FIELD),
	FIELD(kernel.text_start, 0xffffffff7ffff000, RW_E_POLICY_FIELD),
	FIELD(kernel.text_start, 0xffffffff81e02000, RW_E_POLICY_FIELD),
	FIELD(kernel.text_start, 0xffffffff81e03000, RW_E_POLICY_FIELD),
	FIELD(kernel.text_start, 0x0000800081000000, RW_E_POLICY_FIELD),
	FIELD(kernel.text_end, 0xffffffff81e02008, RW_E_POLICY_FIELD),
	FIELD(kernel.text_end, 0xffffffff82001000, RW_E_POLICY_FIELD),
	FIELD(kernel.text_end, 0xfffffffffffff000, RW_E_POLICY_FIELD),
	FIELD(kernel.text_end, 0, RW_E_POLICY_FIELD),
	FIELD(kernel.rodata_start, 0xffffffff81e01000, RW_E_POLICY_FIELD),
	FIELD(kernel.rodata_start, 0xffffffff82000010, RW_E_POLICY_FIELD),
	FIELD(kernel.rodata_start, 0xffffffff80000000, RW_E_POLICY_FIELD),
	FIELD(kernel.rodata_end, 0xffffffff82000000, RW_E_POLICY_FIELD),
	FIELD(kernel.rodata_end, 0xffffffff828eaff0, RW_E_POLICY_FIELD),
	FIELD(kernel.rodata_end, 0xffffffffc0001000, RW_E_POLICY_FIELD),
	FIELD(kernel.build_id_address, 0, RW_E_POLICY_FIELD),
	FIELD(kernel.build_id_address, 0xffffffff81fffff8, RW_E_POLICY_FIELD),
	FIELD(kernel.build_id_address, 0xffffffff828eafed, RW_E_POLICY_FIELD),
	FIELD(kernel.build_id_address, 0xffffffffffffffff, RW_E_POLICY_FIELD),

	FIELD(text.record.type, RW_RECORD_KERNEL, RW_E_POLICY_SIZE),
	FIELD(text.record.size, 48, RW_E_POLICY_SIZE),
	FIELD(text.record.size, 57, RW_E_POLICY_SIZE),
	FIELD(text.record.size, 64, RW_E_POLICY_SIZE),
	FIELD(rodata.record.size, 64, RW_E_POLICY_SIZE),
	FIELD(text.id, 0, RW_E_POLICY_FIELD),
	FIELD(text.id, 2, RW_E_POLICY_DUPLICATE),
	FIELD(text.target, 0, RW_E_POLICY_FIELD),
	FIELD(text.target, 3, RW_E_POLICY_FIELD),
	/* text-poke on rodata */
	FIELD(text.target, RW_TARGET_KERNEL_RODATA, RW_E_POLICY_FIELD),
	FIELD(rodata.flags, RW_RULE_TEXT_POKE, RW_E_POLICY_FIELD),
	FIELD(rodata.target, RW_TARGET_KERNEL_TEXT, RW_E_POLICY_DUPLICATE),
	FIELD(text.mode, 0, RW_E_POLICY_FIELD),
	FIELD(text.mode, 3, RW_E_POLICY_FIELD),
	FIELD(text.mode, RW_MODE_AUDIT, RW_E_POLICY_FIELD), /* that faults */
	FIELD(text.action, 0, RW_E_POLICY_FIELD),
	FIELD(text.action, 4, RW_E_POLICY_FIELD),
	FIELD(text.action, RW_ACTION_ALLOW, RW_E_POLICY_FIELD),
	FIELD(text.flags, 2, RW_E_POLICY_FIELD),
	FIELD(text.flags, 0x80000000, RW_E_POLICY_FIELD),
	FIELD(text.severity, 0, RW_E_POLICY_FIELD),
	FIELD(text.severity, 6, RW_E_POLICY_FIELD),
	FIELD(text.name[0], 0, RW_E_POLICY_FIELD),
	FIELD(text.name[4], 0x1b, RW_E_POLICY_FIELD),
	FIELD(text.name[31], 'x', RW_E_POLICY_FIELD),
};

static void every_field_is_checked(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(spoiled_fields); i++) {
		const struct spoiled *row = &spoiled_fields[i];
		struct sample_body body = sample_body();
		enum rw_error error;

		memcpy((uint8_t *)&body + row->offset, &row->value, row->size);
		error = parse_sample(&body);
		if (error != row->error)
			print_error("%s: %d\n", row->what, error);
		assert_int_equal(error, row->error);
	}
}

static void a_name_of_full_length_without_end_is_refused(void **state)
{
	struct sample_body body = sample_body();

	(void)state;
	memset(body.header.name, 'n', sizeof(body.header.name) - 1);
	assert_int_equal(parse_sample(&body), RW_OK);
	memset(body.header.name, 'n', sizeof(body.header.name));
	assert_int_equal(parse_sample(&body), RW_E_POLICY_FIELD);
}

static void an_audit_rule_may_only_allow(void **state)
{
	struct sample_body body = sample_body();

	(void)state;
	body.text.mode = RW_MODE_AUDIT;
	body.text.action = RW_ACTION_ALLOW;
	assert_int_equal(parse_sample(&body), RW_OK);
	body.text.action = RW_ACTION_DISCARD;
	assert_int_equal(parse_sample(&body), RW_E_POLICY_FIELD);
}

static void the_build_id_may_be_the_last_bytes_of_rodata(void **state)
{
	struct sample_body body = sample_body();

	(void)state;
	body.kernel.build_id_address =
		body.kernel.rodata_end - RW_BUILD_ID_SIZE;
	assert_int_equal(parse_sample(&body), RW_OK);
	body.kernel.build_id_address = body.kernel.rodata_start;
	assert_int_equal(parse_sample(&body), RW_OK);
}

static void the_limits_themselves_are_allowed(void **state)
{
	struct sample_body body = sample_body();

	(void)state;
	body.kernel.text_start = POLICY_KERNEL_START;
	body.kernel.text_end = body.kernel.rodata_start;
	body.kernel.rodata_end = POLICY_KERNEL_END;
	body.text.id = UINT32_MAX;
	body.text.severity = 1;
	body.header.serial = UINT64_MAX;
	body.header.name[0] = '!';
	body.header.name[1] = '~';
	assert_int_equal(parse_sample(&body), RW_OK);
}

static void a_second_kernel_is_refused(void **state)
{
	struct sample_body good = sample_body();
	struct {
		struct rw_policy_header header;
		struct rw_policy_kernel kernel[2];
		struct rw_policy_rule rule;
	} two = { good.header, { good.kernel, good.kernel }, good.text };
	struct policy policy;

	(void)state;
	two.header.total_size = sizeof(two);
	assert_int_equal(parse(&two, sizeof(two), &policy),
			 RW_E_POLICY_DUPLICATE);
}

static void a_policy_without_kernel_or_without_rule_is_refused(void **state)
{
	struct sample_body good = sample_body();
	struct {
		struct rw_policy_header header;
		struct rw_policy_rule rule;
	} no_kernel = { good.header, good.text };
	struct {
		struct rw_policy_header header;
		struct rw_policy_kernel kernel;
	} no_rule = { good.header, good.kernel };
	struct policy policy;

	(void)state;
	no_kernel.header.total_size = sizeof(no_kernel);
	no_kernel.header.record_count = 1;
	no_rule.header.total_size = sizeof(no_rule);
	no_rule.header.record_count = 1;
	assert_int_equal(parse(&no_kernel, sizeof(no_kernel), &policy),
			 RW_E_POLICY_MISSING);
	assert_int_equal(parse(&no_rule, sizeof(no_rule), &policy),
			 RW_E_POLICY_MISSING);
	good.header.total_size = sizeof(good.header);
	good.header.record_count = 0;
	assert_int_equal(parse(&good, sizeof(good.header), &policy),
			 RW_E_POLICY_MISSING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_policy_is_read_whole),
		cmocka_unit_test(alignment_and_order_of_records_do_not_matter),
		cmocka_unit_test(one_rule_alone_in_either_mode_is_a_policy),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(bytes_behind_the_last_record_are_refused),
		cmocka_unit_test(every_field_is_checked),
		cmocka_unit_test(a_name_of_full_length_without_end_is_refused),
		cmocka_unit_test(an_audit_rule_may_only_allow),
		cmocka_unit_test(the_build_id_may_be_the_last_bytes_of_rodata),
		cmocka_unit_test(the_limits_themselves_are_allowed),
		cmocka_unit_test(a_second_kernel_is_refused),
		cmocka_unit_test(
			a_policy_without_kernel_or_without_rule_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
