/* SPDX-License-Identifier: MIT */
/* agent/event/symbols.c on files as the kernel writes them, and worse ones. */
#include <string.h>

#include "agent/event/symbols.h"
#include "tests/agent/check.h"
#include "tests/policy/scratch.h"

static struct symbols_paths paths;

static int setup(void **state)
{
	if (scratch_open(state))
		return -1;
	paths.kallsyms = scratch_text("kallsyms",
				      "0000000000001000 A early_stack\n"
				      "ffffffff81000000 T _text\n"
				      "ffffffff81034000 T tcp_v4_connect\n"
				      "ffffffff81000000 T startup_64\n"
				      "ffffffff81034100 t second\n"
				      "not a symbol at all\n"
				      "ffffffff82000000 B _end\n"
				      "ffffffffc0a01000 t attack\t[evil]\n");
	paths.modules = scratch_text(
		"modules", "evil 16384 0 - Live 0xffffffffc0a01000 (OE)\n"
			   "hidden 16384 0 - Live 0x0000000000000000\n"
			   "other 4096 1 evil, Live 0xffffffffc0b00000\n");
	paths.iomem = scratch_text("iomem",
				   "00100000-3fffffff : System RAM\n"
				   "  01000000-01e01a06 : Kernel code\n"
				   "  02000000-0234ffff : Kernel rodata\n");
	return 0;
}

static void an_address_gets_the_name_before_it(void **state)
{
	struct symbols *symbols = symbols_load(&paths);
	struct symbol symbol;

	(void)state;
	assert_int_equal(symbols_count(symbols), 5);
	assert_true(symbols_find(symbols, 0xffffffff81034012, &symbol));
	assert_string_equal(symbol.name, "tcp_v4_connect");
	assert_string_equal(symbol.module, "vmlinux");
	assert_int_equal(symbol.offset, 0x12);
	assert_true(symbols_find(symbols, 0xffffffff81000000, &symbol));
	assert_string_equal(symbol.name, "_text");
	assert_true(symbols_find(symbols, 0xffffffff81ffffff, &symbol));
	assert_string_equal(symbol.name, "second");
	symbols_free(symbols);
}

static void outside_the_kernel_there_is_no_name(void **state)
{
	struct symbols *symbols = symbols_load(&paths);
	struct symbol symbol;

	(void)state;
	assert_false(symbols_find(symbols, 0xffffffff82000000, &symbol));
	assert_false(symbols_find(symbols, 0xffffffff80ffffff, &symbol));
	assert_false(symbols_find(symbols, 0x1000, &symbol));
	assert_false(symbols_find(NULL, 0xffffffff81034012, &symbol));
	symbols_free(symbols);
}

static void a_module_is_named_even_if_it_came_later(void **state)
{
	struct symbols *symbols = symbols_load(&paths);
	struct symbol symbol;

	(void)state;
	assert_true(symbols_find(symbols, 0xffffffffc0a01044, &symbol));
	assert_string_equal(symbol.module, "evil");
	assert_string_equal(symbol.name, "");
	assert_int_equal(symbol.offset, 0x44);
	assert_false(symbols_find(symbols, 0xffffffffc0a05000, &symbol));
	scratch_text("modules", "late 8192 0 - Live 0xffffffffc0a04000\n");
	assert_true(symbols_find(symbols, 0xffffffffc0a05000, &symbol));
	assert_string_equal(symbol.module, "late");
	symbols_free(symbols);
}

static void a_write_through_an_alias_is_named_by_its_frame(void **state)
{
	struct symbols *symbols = symbols_load(&paths);
	uint64_t address;

	(void)state;
	assert_true(symbols_of_physical(symbols, 0x1034012, &address));
	assert_int_equal(address, 0xffffffff81034012);
	assert_false(symbols_of_physical(symbols, 0xffffff, &address));
	assert_false(symbols_of_physical(symbols, 0x2000000, &address));
	symbols_free(symbols);
}

static void hidden_addresses_leave_everything_unnamed(void **state)
{
	struct symbols *symbols;
	struct symbol symbol;
	uint64_t address;

	(void)state;
	scratch_text("kallsyms", "0000000000000000 T _text\n"
				 "0000000000000000 T tcp_v4_connect\n");
	scratch_text("iomem", "00000000-00000000 : Kernel code\n");
	symbols = symbols_load(&paths);
	assert_int_equal(symbols_count(symbols), 0);
	assert_false(symbols_find(symbols, 0xffffffff81034012, &symbol));
	assert_false(symbols_of_physical(symbols, 0x1034012, &address));
	symbols_free(symbols);
}

static void missing_files_leave_everything_unnamed(void **state)
{
	struct symbols *symbols;
	struct symbol symbol;

	(void)state;
	paths.kallsyms = paths.modules = paths.iomem = "/nonexistent";
	symbols = symbols_load(&paths);
	assert_non_null(symbols);
	assert_false(symbols_find(symbols, 0xffffffffc0a01044, &symbol));
	symbols_free(symbols);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, scratch_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_address_gets_the_name_before_it),
		TEST(outside_the_kernel_there_is_no_name),
		TEST(a_module_is_named_even_if_it_came_later),
		TEST(a_write_through_an_alias_is_named_by_its_frame),
		TEST(hidden_addresses_leave_everything_unnamed),
		TEST(missing_files_leave_everything_unnamed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
