/* SPDX-License-Identifier: MIT */
/*
 * agent/cli/dump.c and image_symbols.c. The ELF file with symbols and a build-id
 * is this program itself.
 */
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli/dump.h"
#include "tests/agent/check.h"
#include "tests/policy/scratch.h"

#define SELF "/proc/self/exe"

/* A dump of one panic and a log, as the monitor writes it. */
static struct {
	struct rw_dump_header header;
	struct rw_panic panic;
	char log[64];
} raw;
static char text[16384];
static struct dump dump;

/* Where this program lies and what its build-id is. */
static int find_self(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	(void)data;
	raw.header.image_base = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const char *note = (const char *)info->dlpi_addr +
				   info->dlpi_phdr[i].p_vaddr;
		const char *end = note + info->dlpi_phdr[i].p_memsz;

		if (info->dlpi_phdr[i].p_type != PT_NOTE)
			continue;
		while (note + sizeof(ElfW(Nhdr)) < end) {
			const ElfW(Nhdr) *header = (const ElfW(Nhdr) *)note;

			note += sizeof(*header) +
				((header->n_namesz + 3) & ~3u);
			if (header->n_type == NT_GNU_BUILD_ID &&
			    header->n_descsz == 20)
				memcpy(raw.header.build_id, note, 20);
			note += (header->n_descsz + 3) & ~3u;
		}
	}
	return 1;
}

static int setup(void **state)
{
	memset(&raw, 0, sizeof(raw));
	raw.header.magic = RW_DUMP_MAGIC;
	raw.header.panics = 1;
	raw.header.log_size = sizeof(raw.log);
	raw.panic.cpu = 1;
	raw.panic.vector = 14;
	raw.panic.error_code = 2;
	raw.panic.rip = (uint64_t)find_self;
	raw.panic.cr2 = 0x1234;
	raw.panic.gpr[3] = 0xabcdef;
	raw.panic.exit_reason = 18;
	raw.panic.backtrace_count = 2;
	raw.panic.backtrace[0] = (uint64_t)setup + 4;
	raw.panic.backtrace[1] = 0x10;
	strcpy(raw.panic.message, "exception in VMX root");
	strcpy(raw.log, "first line\nsecond \x1b[2J line\n");
	dl_iterate_phdr(find_self, NULL);
	return scratch_open(state);
}

static void print(const struct image_symbols *symbols)
{
	FILE *to = fmemopen(text, sizeof(text), "w");

	dump_print(to, &dump, symbols);
	fclose(to);
}

static void expect(const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in:\n%s", part, text);
}

static void a_panic_is_shown_with_registers_and_log(void **state)
{
	(void)state;
	assert_true(dump_open(&dump, &raw, sizeof(raw)));
	print(NULL);
	expect("panic on cpu 1: #PF (vector 14), error code 0x2: exception in VMX root\n");
	expect("rdx 0x0000000000abcdef");
	expect("rsi 0x0000000000000000");
	expect("cr2 0x0000000000001234");
	expect("last exit 18 (VMCALL)");
	expect("#1  0x0000000000000010");
	expect("first line\nsecond .[2J line\n");
	expect("without symbols");
}

static void a_failed_check_is_shown_with_its_sentence(void **state)
{
	(void)state;
	raw.panic.vector = 0xffffffff;
	memset(raw.panic.message, 'm', sizeof(raw.panic.message));
	assert_true(dump_open(&dump, &raw, sizeof(raw)));
	print(NULL);
	expect("panic on cpu 1: mmmm");
}

static void addresses_get_names_from_the_very_image(void **state)
{
	struct image_symbols *symbols;
	struct problem why = { "" };

	(void)state;
	symbols = image_symbols_open(SELF, raw.header.build_id, &why);
	if (!symbols)
		fail_msg("%s", why.text);
	assert_true(dump_open(&dump, &raw, sizeof(raw)));
	print(symbols);
	expect("  find_self+0x0\n");
	expect("  setup+0x4\n");
	expect("with symbols");
	image_symbols_close(symbols);
}

static void another_image_gives_no_names(void **state)
{
	struct problem why;

	(void)state;
	raw.header.build_id[7] ^= 1;
	assert_null(image_symbols_open(SELF, raw.header.build_id, &why));
	assert_non_null(strstr(why.text, "build-id differs"));
	assert_null(image_symbols_open(scratch_text("no.elf", "\x7f"
							      "ELF"),
				       raw.header.build_id, &why));
	assert_null(
		image_symbols_open(scratch("none"), raw.header.build_id, &why));
	assert_non_null(strstr(why.text, "No such file"));
}

static void counts_that_do_not_fit_are_refused(void **state)
{
	(void)state;
	for (size_t size = 0; size < sizeof(raw); size++)
		assert_false(dump_open(&dump, &raw, size));
	raw.header.panics = 0xffffffff;
	assert_false(dump_open(&dump, &raw, sizeof(raw)));
	raw.header.panics = 1;
	raw.header.log_size = 0xffffffff;
	assert_false(dump_open(&dump, &raw, sizeof(raw)));
	raw.header.log_size = 0;
	raw.header.magic++;
	assert_false(dump_open(&dump, &raw, sizeof(raw)));
}

static void a_backtrace_longer_than_its_room_is_cut(void **state)
{
	json_t *json;

	(void)state;
	raw.panic.backtrace_count = 4000000000u;
	assert_true(dump_open(&dump, &raw, sizeof(raw)));
	print(NULL);
	json = dump_json(&dump, NULL);
	assert_int_equal(
		json_array_size(json_object_get(
			json_array_get(json_object_get(json, "panics"), 0),
			"backtrace")),
		RW_BACKTRACE);
	json_decref(json);
}

static void json_has_the_same(void **state)
{
	json_t *json, *panic, *log;

	(void)state;
	assert_true(dump_open(&dump, &raw, sizeof(raw)));
	json = dump_json(&dump, NULL);
	panic = json_array_get(json_object_get(json, "panics"), 0);
	log = json_object_get(json, "log");
	assert_int_equal(json_integer_value(json_object_get(panic, "cpu")), 1);
	assert_string_equal(
		json_string_value(json_object_get(
			json_object_get(panic, "registers"), "rdx")),
		"0x0000000000abcdef");
	assert_int_equal(json_array_size(log), 2);
	assert_string_equal(json_string_value(json_array_get(log, 1)),
			    "second .[2J line");
	json_decref(json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, scratch_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_panic_is_shown_with_registers_and_log),
		TEST(a_failed_check_is_shown_with_its_sentence),
		TEST(addresses_get_names_from_the_very_image),
		TEST(another_image_gives_no_names),
		TEST(counts_that_do_not_fit_are_refused),
		TEST(a_backtrace_longer_than_its_room_is_cut),
		TEST(json_has_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
