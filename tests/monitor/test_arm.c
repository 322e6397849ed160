/* SPDX-License-Identifier: MIT */
/*
 * From a signed file to protected pages, by hypercalls. Whatever is refused
 * leaves the policy in force as it was, and a record.
 */
#include <ringwall/config.h>
#include <string.h>

#include "monitor/arm.h"
#include "monitor/memory.h"
#include "monitor/wall.h"
#include "tests/monitor/fake_kernel.h"

#define SLIDE	   0x7600000ULL
#define FIRST	   5 /* serial in force when a refusal is tried */
#define DECOY_PHYS 0x20000000ULL
#define BUFFER	   KERNEL_BUFFER
#define MAX_SIZE   CONFIG_RINGWALL_POLICY_MAX_SIZE

static struct sample_file file;

static void boot(uint32_t cpus)
{
	kernel_boot(cpus, SLIDE);
}

static void start_armed(uint32_t cpus)
{
	struct sample_body body = kernel_policy(FIRST);

	boot(cpus);
	kernel_arm(&body);
	assert_int_equal(kernel_event().kind, RW_EVENT_POLICY_LOADED);
}

/* A good successor, signed, to be spoiled. */
static void prepare(void)
{
	file.body = kernel_policy(FIRST + 1);
	sample_sign(&file, sizeof(file.body), kernel_key);
}

static void assert_protected(void)
{
	static const uint64_t ranges[][2] = {
		{ TEXT_PHYS, TEXT_PHYS + KERNEL_TEXT_SIZE },
		{ RODATA_PHYS, RODATA_PHYS + KERNEL_RODATA_SIZE },
	};

	for (size_t i = 0; i < 2; i++) {
		uint64_t start = ranges[i][0], end = ranges[i][1];

		for (uint64_t at = start; at < end; at += RW_PAGE_SIZE)
			assert_int_equal(wall_rights(gpa(at)), EPT_R | EPT_X);
		assert_int_equal(wall_rights(gpa(start - 1)), EPT_RWX);
		assert_int_equal(wall_rights(gpa(end)), EPT_RWX);
	}
}

static void assert_open(void)
{
	assert_int_equal(wall_rights(gpa(TEXT_PHYS)), EPT_RWX);
	assert_int_equal(wall_rights(gpa(RODATA_PHYS)), EPT_RWX);
}

static void assert_as_before(void)
{
	struct rw_status s = kernel_status();

	assert_int_equal(s.state, RW_STATE_ARMED);
	assert_int_equal(s.policy_serial, FIRST);
	assert_int_equal(s.policy_rules, 2);
	assert_protected();
}

/* Refused with this error and a record that says so. */
static void assert_refused(uint64_t got, enum rw_error error, uint64_t serial)
{
	struct rw_event e;

	assert_int_equal(got, error);
	e = kernel_event();
	assert_int_equal(e.kind, RW_EVENT_POLICY_REFUSED);
	assert_int_equal(e.detail[0], serial);
	assert_int_equal(e.detail[1], error);
	assert_as_before();
	fake->tsc += 1ULL << 32; /* the next is a record of its own */
}

static uint64_t begin(uint64_t size)
{
	return hypercall(RW_HC_POLICY_BEGIN, size, 0);
}

static uint64_t put(uint64_t gpa, uint64_t bytes)
{
	return hypercall(RW_HC_POLICY_PUT, gpa, bytes);
}

static uint64_t commit(void)
{
	return hypercall(RW_HC_POLICY_COMMIT, 0, 0);
}

static void a_signed_policy_protects_what_it_names(void **state)
{
	struct sample_body body = kernel_policy(1);
	struct rw_event e;

	(void)state;
	boot(1);
	assert_open();
	assert_int_equal(kernel_status().state, RW_STATE_ENABLED);
	assert_int_equal(kernel_load(&body), RW_OK);
	assert_int_equal(fake->gpr.rdx, RW_STATE_ARMED);
	assert_protected();
	e = kernel_event();
	assert_int_equal(e.kind, RW_EVENT_POLICY_LOADED);
	assert_int_equal(e.detail[0], 1);
	assert_int_equal(e.policy_serial, 1);
}

static void the_status_says_what_is_in_force(void **state)
{
	struct sample_body body = kernel_policy(FIRST);
	struct policy_key public;
	struct rw_status s;
	uint8_t digest[RW_SHA256_SIZE];

	(void)state;
	start_armed(2);
	s = kernel_status();
	public = sample_public(kernel_key);
	policy_digest(&body, sizeof(body), digest);
	assert_memory_equal(s.policy_digest, digest, sizeof(digest));
	assert_memory_equal(s.policy_key_id, public.id, sizeof(public.id));
	assert_memory_equal(s.policy_build_id, body.kernel.build_id,
			    RW_BUILD_ID_SIZE);
	assert_string_equal(s.policy_name, "sample");
	assert_int_equal(s.policy_flags, 0);
	assert_int_equal(s.kaslr_slide, SLIDE);
	assert_int_equal(s.text_pages, KERNEL_TEXT_SIZE / RW_PAGE_SIZE);
	assert_int_equal(s.rodata_pages, KERNEL_RODATA_SIZE / RW_PAGE_SIZE);
	assert_int_equal(s.rules[0].id, 1);
	assert_int_equal(s.rules[0].target, RW_TARGET_KERNEL_TEXT);
	assert_int_equal(s.rules[0].mode, RW_MODE_ENFORCE);
	assert_int_equal(s.rules[0].action, RW_ACTION_FAULT);
	assert_int_equal(s.rules[0].severity, 5);
	assert_int_equal(s.rules[0].pages, KERNEL_TEXT_SIZE / RW_PAGE_SIZE);
	assert_string_equal(s.rules[1].name, "kernel-rodata");
	assert_int_equal(s.rules[1].pages, KERNEL_RODATA_SIZE / RW_PAGE_SIZE);
	assert_int_equal(s.rules[2].id, 0);
}

/* CPU 1 runs on with what it remembers, so nothing is promised yet. */
static void it_is_in_force_when_every_cpu_has_seen_it(void **state)
{
	struct sample_body body = kernel_policy(1);

	(void)state;
	boot(2);
	machine_use(1);
	assert_true(guest_can(TEXT_PHYS, EPT_W));
	machine_use(0);
	assert_int_equal(kernel_load(&body), RW_OK);
	assert_int_equal(fake->gpr.rdx, RW_STATE_ARMING);
	assert_false(guest_can(TEXT_PHYS, EPT_W));
	assert_int_equal(hypercall(RW_HC_SYNC, 0, 0), RW_OK);
	assert_int_equal(kernel_status().state, RW_STATE_ARMING);
	machine_use(1);
	assert_true(guest_can(TEXT_PHYS, EPT_W));
	assert_int_equal(hypercall(RW_HC_SYNC, 0, 0), RW_OK);
	assert_false(guest_can(TEXT_PHYS, EPT_W));
	assert_int_equal(kernel_status().state, RW_STATE_ARMED);
	assert_int_equal(kernel_event().kind, RW_EVENT_POLICY_LOADED);
}

static void any_exit_of_a_cpu_makes_it_see_it(void **state)
{
	struct sample_body body = kernel_policy(1);

	(void)state;
	boot(2);
	assert_int_equal(kernel_load(&body), RW_OK);
	machine_use(1);
	machine_exit(&(struct vm_exit){ .reason = EXIT_CPUID, .length = 2 });
	machine_use(0);
	assert_int_equal(hypercall(RW_HC_SYNC, 0, 0), RW_OK);
	assert_int_equal(kernel_status().state, RW_STATE_ARMED);
}

static void a_successor_opens_and_closes_in_one_change(void **state)
{
	struct sample_body body = kernel_policy(FIRST + 1);
	struct rw_status s;

	(void)state;
	start_armed(1);
	body.header.record_count = 2; /* text alone */
	body.header.total_size -= sizeof(body.rodata);
	assert_int_equal(kernel_load_some(&body, body.header.total_size),
			 RW_OK);
	assert_int_equal(wall_rights(gpa(TEXT_PHYS)), EPT_R | EPT_X);
	assert_int_equal(wall_rights(gpa(RODATA_PHYS)), EPT_RWX);
	s = kernel_status();
	assert_int_equal(s.policy_serial, FIRST + 1);
	assert_int_equal(s.policy_rules, 1);
	body = kernel_policy(FIRST + 2);
	assert_int_equal(kernel_load(&body), RW_OK);
	assert_protected();
}

static void a_rule_ends_with_its_range(void **state)
{
	struct rw_policy_rule rule;

	(void)state;
	start_armed(1);
	assert_false(arm_rule(gpa(TEXT_PHYS - 1), &rule));
	assert_true(arm_rule(gpa(TEXT_PHYS), &rule));
	assert_int_equal(rule.id, 1);
	assert_true(arm_rule(gpa(TEXT_PHYS + KERNEL_TEXT_SIZE - 1), &rule));
	assert_false(arm_rule(gpa(TEXT_PHYS + KERNEL_TEXT_SIZE), &rule));
	assert_true(arm_rule(gpa(RODATA_PHYS), &rule));
	assert_int_equal(rule.id, 2);
}

static void the_same_policy_again_changes_nothing(void **state)
{
	struct sample_body body = kernel_policy(FIRST);
	struct rw_event none;

	(void)state;
	start_armed(1);
	arm_hit(1);
	assert_int_equal(kernel_load(&body), RW_OK);
	assert_as_before();
	assert_int_equal(kernel_status().rules[0].hits, 1);
	assert_int_equal(kernel_status().events_coalesced, 0);
	assert_int_equal(kernel_events(&none, 1), 0);
}

static void an_older_serial_is_refused(void **state)
{
	struct sample_body body = kernel_policy(FIRST - 1);

	(void)state;
	start_armed(1);
	assert_refused(kernel_load(&body), RW_E_POLICY_SERIAL, FIRST - 1);
}

static void the_same_serial_for_another_policy_is_refused(void **state)
{
	struct sample_body body = kernel_policy(FIRST);

	(void)state;
	start_armed(1);
	body.text.severity = 4;
	assert_refused(kernel_load(&body), RW_E_POLICY_SERIAL, FIRST);
}

static void a_policy_of_another_key_is_refused(void **state)
{
	EVP_PKEY *other = sample_key();

	(void)state;
	start_armed(1);
	prepare();
	sample_sign(&file, sizeof(file.body), other);
	assert_refused(kernel_load_file(&file, sizeof(file)), RW_E_POLICY_KEY,
		       0);
	EVP_PKEY_free(other);
}

static void every_key_of_the_boot_information_is_trusted(void **state)
{
	EVP_PKEY *second = sample_key();
	struct sample_body body = kernel_policy(1);

	(void)state;
	machine_init();
	machine.boot.key_count = 2;
	memcpy(machine.boot.key[1], sample_public(second).point,
	       RW_KEY_POINT_SIZE);
	machine_start();
	kernel_start(SLIDE);
	kernel_key = second;
	assert_int_equal(kernel_load(&body), RW_OK);
	EVP_PKEY_free(second);
}

static void a_flipped_bit_anywhere_is_refused(void **state)
{
	(void)state;
	start_armed(1);
	for (size_t at = 0; at < sizeof(file); at += 11) {
		struct rw_event e;

		prepare();
		((uint8_t *)&file)[at] ^= 0x10;
		fake->tsc += 1ULL << 32;
		assert_int_not_equal(kernel_load_file(&file, sizeof(file)),
				     RW_OK);
		assert_int_equal(kernel_events(&e, 1), 1);
		assert_int_equal(e.kind, RW_EVENT_POLICY_REFUSED);
		assert_in_range(e.detail[1], RW_E_POLICY_SIZE,
				RW_E_POLICY_MODE);
		assert_as_before();
	}
}

static void what_is_not_signed_as_a_whole_is_refused(void **state)
{
	(void)state;
	start_armed(1);
	prepare();
	assert_refused(kernel_load_file(&file.body, sizeof(file.body)),
		       RW_E_POLICY_UNSIGNED, 0);
	assert_refused(kernel_load_file(&file, sizeof(file) - 8),
		       RW_E_POLICY_SIZE, 0);
	file.body.text.severity = 1;
	assert_refused(kernel_load_file(&file, sizeof(file)),
		       RW_E_POLICY_SIGNATURE, 0);
}

static void what_the_signer_got_wrong_is_refused(void **state)
{
	struct sample_body body = kernel_policy(FIRST + 1);

	(void)state;
	start_armed(1);
	body.text.record.type = 99;
	assert_refused(kernel_load(&body), RW_E_POLICY_RECORD, 0);
	body = kernel_policy(FIRST + 1);
	body.text.mode = 9;
	assert_refused(kernel_load(&body), RW_E_POLICY_FIELD, 0);
	body = kernel_policy(FIRST + 1);
	body.rodata.id = body.text.id;
	assert_refused(kernel_load(&body), RW_E_POLICY_DUPLICATE, 0);
}

static void a_policy_for_another_kernel_is_refused(void **state)
{
	struct sample_body body = kernel_policy(FIRST + 1);

	(void)state;
	start_armed(1);
	body.kernel.build_id[0] ^= 1;
	assert_refused(kernel_load(&body), RW_E_POLICY_KERNEL, FIRST + 1);
}

static void text_that_is_not_where_the_policy_says_is_refused(void **state)
{
	struct sample_body body = kernel_policy(FIRST + 1);

	(void)state;
	start_armed(1);
	body.kernel.text_end += RW_PAGE_SIZE;
	assert_refused(kernel_load(&body), RW_E_POLICY_KERNEL_RANGE, FIRST + 1);
	body = kernel_policy(FIRST + 1);
	body.kernel.rodata_end += KERNEL_DATA_SIZE + RW_PAGE_SIZE;
	assert_refused(kernel_load(&body), RW_E_POLICY_KERNEL_RANGE, FIRST + 1);
}

/* A copy of the kernel elsewhere, and tables that lead there. */
static void map_decoy(void)
{
	uint64_t cr3 = kernel_table();

	memcpy(physical(DECOY_PHYS), physical(KERNEL_PHYS),
	       DATA_PHYS - KERNEL_PHYS);
	kernel_map_image(cr3, SLIDE, DECOY_PHYS);
	*fake_vmcs(GUEST_CR3) = cr3;
}

/*
 * With ring 0 in hand an attacker waits for the next signed policy, and loads
 * it with tables of his own: what is protected must not move.
 */
static void a_policy_loaded_through_other_tables_opens_nothing(void **state)
{
	struct sample_body body = kernel_policy(FIRST + 1);

	(void)state;
	start_armed(1);
	map_decoy();
	assert_refused(kernel_load(&body), RW_E_POLICY_KERNEL_RANGE, FIRST + 1);
}

static void a_policy_loaded_at_another_slide_opens_nothing(void **state)
{
	struct sample_body body = kernel_policy(FIRST + 1);
	uint64_t cr3, slide = SLIDE + RW_SIZE_2M;

	(void)state;
	start_armed(1);
	cr3 = kernel_table();
	kernel_map_image(cr3, slide, KERNEL_PHYS);
	*fake_vmcs(GUEST_CR3) = cr3;
	fake_msr_set(IA32_LSTAR, KERNEL_LSTAR + slide);
	assert_refused(kernel_load(&body), RW_E_POLICY_KERNEL_RANGE, FIRST + 1);
}

static void text_and_rodata_lie_as_in_the_file(void **state)
{
	struct sample_body body = kernel_policy(1);
	uint64_t cr3;

	(void)state;
	boot(1);
	cr3 = *fake_vmcs(GUEST_CR3);
	kernel_map(cr3, KERNEL_RODATA + SLIDE, RODATA_PHYS + RW_SIZE_2M, 2,
		   PTE_NX);
	for (uint64_t at = RW_SIZE_2M; at < KERNEL_RODATA_SIZE;
	     at += RW_PAGE_SIZE)
		kernel_map(cr3, KERNEL_RODATA + SLIDE + at,
			   RODATA_PHYS + RW_SIZE_2M + at, 1, PTE_NX);
	memmove(physical(RODATA_PHYS + RW_SIZE_2M), physical(RODATA_PHYS),
		KERNEL_RODATA_SIZE);
	assert_int_equal(kernel_load(&body), RW_E_POLICY_KERNEL_RANGE);
	assert_open();
}

static void the_upload_has_an_order(void **state)
{
	(void)state;
	start_armed(1);
	prepare();
	assert_int_equal(put(BUFFER, 8), RW_E_STATE);
	assert_refused(commit(), RW_E_STATE, 0);
	assert_int_equal(begin(0), RW_E_POLICY_SIZE);
	assert_int_equal(begin(MAX_SIZE + 1), RW_E_POLICY_SIZE);
	assert_int_equal(begin(UINT64_MAX), RW_E_POLICY_SIZE);
	assert_int_equal(put(BUFFER, 8), RW_E_STATE);
	assert_int_equal(begin(sizeof(file)), RW_OK);
	assert_int_equal(put(BUFFER, 0), RW_E_ARGUMENT);
	assert_int_equal(put(BUFFER, RW_PAGE_SIZE + 1), RW_E_ARGUMENT);
	assert_int_equal(put(BUFFER, sizeof(file) + 1), RW_E_POLICY_SIZE);
	assert_int_equal(put(BUFFER, sizeof(file) - 1), RW_OK);
	assert_int_equal(put(BUFFER, 2), RW_E_POLICY_SIZE);
	assert_refused(commit(), RW_E_POLICY_SIZE, 0); /* a byte is missing */
}

static void a_commit_ends_the_upload(void **state)
{
	(void)state;
	start_armed(1);
	prepare();
	memcpy(physical(BUFFER), &file, sizeof(file));
	assert_int_equal(begin(sizeof(file)), RW_OK);
	assert_int_equal(put(BUFFER, sizeof(file)), RW_OK);
	assert_int_equal(commit(), RW_OK);
	assert_int_equal(kernel_event().kind, RW_EVENT_POLICY_LOADED);
	assert_int_equal(commit(), RW_E_STATE);
	assert_int_equal(put(BUFFER, 1), RW_E_STATE);
}

static void a_new_upload_forgets_the_one_before(void **state)
{
	(void)state;
	start_armed(1);
	prepare();
	assert_int_equal(begin(MAX_SIZE), RW_OK);
	assert_int_equal(put(BUFFER, RW_PAGE_SIZE), RW_OK);
	assert_int_equal(kernel_load_file(&file, sizeof(file)), RW_OK);
	assert_int_equal(kernel_status().policy_serial, FIRST + 1);
}

static void what_was_put_is_a_copy(void **state)
{
	(void)state;
	start_armed(1);
	prepare();
	memcpy(physical(BUFFER), &file, sizeof(file));
	assert_int_equal(begin(sizeof(file)), RW_OK);
	assert_int_equal(put(BUFFER, sizeof(file)), RW_OK);
	memset(physical(BUFFER), 0, sizeof(file));
	assert_int_equal(commit(), RW_OK);
}

static uint64_t answers[3];

/* While CPU 0 verifies, CPU 1 wants to upload too. */
static void upload_meanwhile(const char *name, uint64_t operand)
{
	(void)operand;
	if (strcmp(name, "FXSAVE") || answers[2])
		return;
	machine_use(1);
	answers[0] = begin(sizeof(file));
	answers[1] = put(BUFFER, 8);
	answers[2] = commit();
	machine_use(0);
}

static void one_upload_at_a_time(void **state)
{
	(void)state;
	start_armed(2);
	prepare();
	memcpy(physical(BUFFER), &file, sizeof(file));
	assert_int_equal(begin(sizeof(file)), RW_OK);
	assert_int_equal(put(BUFFER, sizeof(file)), RW_OK);
	fake->before = upload_meanwhile;
	assert_int_equal(commit(), RW_OK);
	fake->before = NULL;
	for (int i = 0; i < 3; i++)
		assert_int_equal(answers[i], RW_E_BUSY);
	assert_int_equal(kernel_status().policy_serial, FIRST + 1);
}

static void refusals_keep_no_memory(void **state)
{
	uint64_t free_pages;

	(void)state;
	start_armed(1);
	prepare();
	file.body.text.severity = 1;
	kernel_load_file(&file, sizeof(file));
	free_pages = kernel_status().memory_free;
	for (int i = 0; i < 50; i++) {
		begin(MAX_SIZE);
		kernel_load_file(&file, sizeof(file));
	}
	assert_int_equal(kernel_status().memory_free, free_pages);
}

static void without_memory_the_old_policy_stays(void **state)
{
	struct sample_body body = kernel_policy(FIRST + 1);
	void *last = NULL, *page;

	(void)state;
	start_armed(1);
	body.header.record_count = 2;
	body.header.total_size -= sizeof(body.rodata);
	while ((page = page_alloc(0)))
		last = page;
	assert_int_equal(begin(sizeof(file)), RW_E_NO_MEMORY);
	page_free(last); /* enough for the upload, not for the tables */
	assert_refused(kernel_load_some(&body, body.header.total_size),
		       RW_E_NO_MEMORY, FIRST + 1);
}

static void the_longest_policy_has_room(void **state)
{
	(void)state;
	start_armed(1);
	assert_int_equal(begin(MAX_SIZE), RW_OK);
	for (uint32_t at = 0; at < MAX_SIZE; at += RW_PAGE_SIZE)
		assert_int_equal(put(BUFFER, RW_PAGE_SIZE), RW_OK);
	assert_int_equal(put(BUFFER, 1), RW_E_POLICY_SIZE);
	assert_refused(commit(), RW_E_POLICY_MAGIC, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signed_policy_protects_what_it_names),
		cmocka_unit_test(the_status_says_what_is_in_force),
		cmocka_unit_test(it_is_in_force_when_every_cpu_has_seen_it),
		cmocka_unit_test(any_exit_of_a_cpu_makes_it_see_it),
		cmocka_unit_test(a_successor_opens_and_closes_in_one_change),
		cmocka_unit_test(a_rule_ends_with_its_range),
		cmocka_unit_test(the_same_policy_again_changes_nothing),
		cmocka_unit_test(an_older_serial_is_refused),
		cmocka_unit_test(the_same_serial_for_another_policy_is_refused),
		cmocka_unit_test(a_policy_of_another_key_is_refused),
		cmocka_unit_test(every_key_of_the_boot_information_is_trusted),
		cmocka_unit_test(a_flipped_bit_anywhere_is_refused),
		cmocka_unit_test(what_is_not_signed_as_a_whole_is_refused),
		cmocka_unit_test(what_the_signer_got_wrong_is_refused),
		cmocka_unit_test(a_policy_for_another_kernel_is_refused),
		cmocka_unit_test(
			text_that_is_not_where_the_policy_says_is_refused),
		cmocka_unit_test(
			a_policy_loaded_through_other_tables_opens_nothing),
		cmocka_unit_test(
			a_policy_loaded_at_another_slide_opens_nothing),
		cmocka_unit_test(text_and_rodata_lie_as_in_the_file),
		cmocka_unit_test(the_upload_has_an_order),
		cmocka_unit_test(a_commit_ends_the_upload),
		cmocka_unit_test(a_new_upload_forgets_the_one_before),
		cmocka_unit_test(what_was_put_is_a_copy),
		cmocka_unit_test(one_upload_at_a_time),
		cmocka_unit_test(refusals_keep_no_memory),
		cmocka_unit_test(without_memory_the_old_policy_stays),
		cmocka_unit_test(the_longest_policy_has_room),
	};

	return machine_run_tests(tests);
}
