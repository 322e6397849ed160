/* SPDX-License-Identifier: MIT */
/* ringwall policy build: YAML and a kernel file to an unsigned policy. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/errors.h"
#include "agent/policy/body.h"
#include "agent/policy/command.h"
#include "agent/policy/files.h"
#include "agent/policy/kernel.h"
#include "agent/policy/source.h"

static bool read_source(const char *path, struct policy_source *ret,
			struct problem *why)
{
	struct file file;
	bool good;

	if (!file_read(path, SOURCE_MAX, &file, why))
		return false;
	good = policy_source_parse(path, file.data, file.size, ret, why);
	file_free(&file);
	return good;
}

static int build(const char *source_path, const char *kernel_path,
		 const char *output)
{
	struct rw_policy_kernel kernel;
	struct policy_source source;
	uint8_t body[BODY_MAX];
	struct problem why;
	size_t size;

	if (!read_source(source_path, &source, &why) ||
	    !kernel_describe_file(kernel_path, &kernel, &why))
		return command_failed(EXIT_CODE_ERROR, &why);
	size = body_compose(&source, &kernel, body);
	if (!size) {
		problem_set(&why,
			    "%s: its addresses are outside the kernel's window",
			    kernel_path);
		return command_failed(EXIT_CODE_ERROR, &why);
	}
	if (!file_replace(output, body, size, &why))
		return command_failed(EXIT_CODE_ERROR, &why);
	printf("%s: policy %s, serial %ju, %u rules, not signed yet\n", output,
	       source.name, (uintmax_t)source.serial, source.rule_count);
	return EXIT_CODE_OK;
}

int policy_build(int argc, char **argv)
{
	const char *kernel = NULL, *output = NULL, *source = NULL;
	const struct option_row options[] = {
		{ 'k', "kernel", &kernel },
		{ 'o', "output", &output },
	};
	const struct command_line line = {
		"ringwall policy build -k VMLINUZ -o FILE.rwp POLICY.yaml",
		options, 2, &source, NULL
	};
	bool done;
	int status = command_parse(&line, argc, argv, &done);

	if (done)
		return status;
	if (!kernel)
		return command_misused(&line, "-k is missing");
	if (!output)
		return command_misused(&line, "-o is missing");
	return build(source, kernel, output);
}
