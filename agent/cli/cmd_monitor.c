/* SPDX-License-Identifier: MIT */
/* monitor load, enable, disable, unload, memory, dump; test-alert; test-hook. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ringwall/boot.h>

#include "agent/cli/cli.h"
#include "agent/cli/dump.h"
#include "agent/device.h"
#include "agent/policy/files.h"
#include "agent/policy/trust.h"

int cmd_monitor_load(int argc, char **argv)
{
	static const struct option options[] = {
		{ "trust", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	uint8_t keys[RW_BOOT_KEYS][RW_KEY_POINT_SIZE];
	const char *trust = CLI_TRUST, *image = CLI_IMAGE;
	struct problem why;
	enum rw_error error;
	struct file file;
	size_t key_count;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 't')
			return EXIT_CODE_USAGE;
		trust = optarg;
	}
	if (optind < argc)
		image = argv[optind++];
	if (optind < argc)
		return cli_usage("monitor load takes one image");

	error = trust_load(trust, keys, RW_BOOT_KEYS, &key_count, &why);
	if (error != RW_OK) {
		fprintf(stderr, "ringwall: %s\n", why.text);
		return error_exit_code(error);
	}
	if (!file_read(image, RW_IMAGE_MAX, &file, &why)) {
		fprintf(stderr, "ringwall: %s\n", why.text);
		return EXIT_CODE_ERROR;
	}
	error = device_load(file.data, file.size,
			    (const uint8_t(*)[RW_KEY_POINT_SIZE])keys,
			    (uint32_t)key_count);
	file_free(&file);
	return error == RW_OK ? EXIT_CODE_OK : cli_fail(image, error);
}

/* Names the CPU that refused, if one did. */
static int fail_on_cpu(const char *what, enum rw_error error, uint32_t cpu)
{
	char text[64];

	if (cpu == DEVICE_NO_CPU)
		return cli_fail(what, error);
	snprintf(text, sizeof(text), "%s: cpu %u", what, cpu);
	return cli_fail(text, error);
}

int cmd_monitor_enable(int argc, char **argv)
{
	uint32_t cpu = DEVICE_NO_CPU;
	enum rw_error error;

	if (!cli_alone(argc, argv))
		return EXIT_CODE_USAGE;
	error = device_enable(&cpu);
	return error == RW_OK ? EXIT_CODE_OK :
				fail_on_cpu("monitor enable", error, cpu);
}

int cmd_monitor_disable(int argc, char **argv)
{
	uint32_t cpu = DEVICE_NO_CPU;
	enum rw_error error;

	if (!cli_alone(argc, argv))
		return EXIT_CODE_USAGE;
	error = device_disable(&cpu);
	return error == RW_OK ? EXIT_CODE_OK :
				fail_on_cpu("monitor disable", error, cpu);
}

int cmd_monitor_unload(int argc, char **argv)
{
	enum rw_error error;

	if (!cli_alone(argc, argv))
		return EXIT_CODE_USAGE;
	error = device_unload();
	return error == RW_OK ? EXIT_CODE_OK :
				cli_fail("monitor unload", error);
}

/* A whole number of MiB or GiB; the driver knows what a block is. */
static bool read_size(const char *word, uint64_t *ret_bytes)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(word, &end, 10);
	if (errno || end == word || *word == '-' || number > UINT32_MAX ||
	    (strcmp(end, "M") && strcmp(end, "G"))) {
		cli_usage(
			"a size is a number of MiB or GiB like 2M or 1G, not '%s'",
			word);
		return false;
	}
	*ret_bytes = (uint64_t)number << (*end == 'M' ? 20 : 30);
	return true;
}

static int change_memory(uint64_t bytes, bool take)
{
	uint64_t done;
	enum rw_error error = device_memory(bytes, take, &done);

	if (error == RW_OK)
		return EXIT_CODE_OK;
	if (take && done)
		fprintf(stderr, "ringwall: %" PRIu64 " MiB were taken back\n",
			done >> 20);
	return cli_fail("monitor memory", error);
}

int cmd_monitor_memory(int argc, char **argv)
{
	static const struct option options[] = {
		{ "give", required_argument, NULL, 'g' },
		{ "take", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	int option, wanted = 0;
	uint64_t bytes = 0;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?' || !read_size(optarg, &bytes))
			return EXIT_CODE_USAGE;
		if (wanted)
			return cli_usage("monitor memory does one at a time");
		wanted = option;
	}
	if (!wanted || optind < argc)
		return cli_usage("monitor memory takes --give or --take");
	return change_memory(bytes, wanted == 't');
}

/* The dump's names are optional: without them the addresses still stand. */
static struct image_symbols *open_symbols(const char *path, bool asked,
					  const struct rw_dump_header *header)
{
	struct image_symbols *symbols;
	struct problem why;

	symbols = image_symbols_open(path, header->build_id, &why);
	if (!symbols && asked)
		fprintf(stderr, "ringwall: no symbols: %s\n", why.text);
	return symbols;
}

static int print_dump(const struct dump *dump, const char *path, bool asked,
		      enum cli_output output)
{
	struct image_symbols *symbols = open_symbols(path, asked, dump->header);
	int result = EXIT_CODE_OK;

	if (output == CLI_JSON)
		result = cli_print_json(dump_json(dump, symbols), result);
	else
		dump_print(stdout, dump, symbols);
	image_symbols_close(symbols);
	return result;
}

int cmd_monitor_dump(int argc, char **argv)
{
	static const struct option options[] = {
		{ "image", required_argument, NULL, 'i' },
		{ "output", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	enum cli_output output = CLI_TABLE;
	const char *image = CLI_IMAGE;
	bool asked = false;
	enum rw_error error;
	struct dump dump;
	size_t size;
	int option, result;
	void *buffer;

	while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (option == 'i') {
			image = optarg;
			asked = true;
		} else if (option != 'o' || !cli_output(optarg, &output)) {
			return EXIT_CODE_USAGE;
		}
	}
	if (optind < argc)
		return cli_usage("monitor dump takes no argument");

	buffer = malloc(DEVICE_DUMP_MAX);
	if (!buffer)
		return cli_fail("monitor dump", RW_E_NO_MEMORY);
	error = device_dump(buffer, DEVICE_DUMP_MAX, &size);
	if (error == RW_OK && !dump_open(&dump, buffer, size))
		error = RW_E_IO;
	if (error == RW_OK)
		result = print_dump(&dump, image, asked, output);
	else
		result = cli_fail("monitor dump", error);
	free(buffer);
	return result;
}

int cmd_test_alert(int argc, char **argv)
{
	enum rw_error error;

	if (!cli_alone(argc, argv))
		return EXIT_CODE_USAGE;
	error = device_test_alert();
	return error == RW_OK ? EXIT_CODE_OK : cli_fail("test-alert", error);
}

int cmd_test_hook(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cpu", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	static const struct {
		const char *name;
		enum rw_test_hook hook;
	} hooks[] = {
		{ "null-pointer", RW_TEST_NULL_POINTER },
		{ "check", RW_TEST_CHECK },
		{ "stack-smash", RW_TEST_STACK_SMASH },
		{ "eat-memory", RW_TEST_EAT_MEMORY },
		{ "free-memory", RW_TEST_FREE_MEMORY },
	};
	enum rw_error error;
	uint32_t cpu = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (option != 'c' ||
		    !cli_number(optarg, "--cpu", UINT32_MAX - 1, &cpu))
			return EXIT_CODE_USAGE;
	if (optind + 1 != argc)
		return cli_usage("test-hook takes one word");
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		if (strcmp(hooks[i].name, argv[optind]) != 0)
			continue;
		error = device_test_hook(hooks[i].hook, cpu);
		return error == RW_OK ? EXIT_CODE_OK :
					cli_fail("test-hook", error);
	}
	return cli_usage(
		"no test hook '%s': null-pointer, check, stack-smash, eat-memory or free-memory",
		argv[optind]);
}
