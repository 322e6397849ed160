/* SPDX-License-Identifier: MIT */
/* ringwall manifest: the verb build, and the choice among the verbs. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "agent/errors.h"
#include "agent/manifest/build.h"
#include "agent/manifest/commands.h"
#include "agent/manifest/verbs.h"
#include "agent/policy/command.h"

/** A bzImage is some ten MiB; a vmlinux with debug information is not read. */
#define KERNEL_MAX (512U << 20)

bool manifest_kernel(const char *path, struct file *file, struct image *ret,
		     struct problem *why)
{
	struct problem inner;

	if (!file_read(path, KERNEL_MAX, file, why))
		return false;
	if (image_open(file->data, file->size, ret, &inner))
		return true;
	problem_set(why, "%s: %s", path, inner.text);
	file_free(file);
	return false;
}

static bool build(const char *kernel, struct file *ret, struct problem *why)
{
	struct problem inner;
	struct image image;
	struct file file;
	bool good;

	if (!manifest_kernel(kernel, &file, &image, why))
		return false;
	good = manifest_build(&image, ret, &inner);
	if (!good)
		problem_set(why, "%s: %s", kernel, inner.text);
	image_close(&image);
	file_free(&file);
	return good;
}

static int manifest_make(int argc, char **argv)
{
	const char *kernel = NULL, *output = NULL;
	const struct option_row options[] = {
		{ 'k', "kernel", &kernel },
		{ 'o', "output", &output },
	};
	const struct command_line line = {
		"ringwall manifest build --kernel VMLINUZ -o FILE.rwm", options,
		2, NULL, NULL
	};
	struct problem why;
	struct file made;
	bool done;
	int status = command_parse(&line, argc, argv, &done);

	if (done)
		return status;
	if (!kernel)
		return command_misused(&line, "-k is missing");
	if (!output)
		return command_misused(&line, "-o is missing");
	if (!build(kernel, &made, &why))
		return command_failed(EXIT_CODE_ERROR, &why);
	if (!file_replace(output, made.data, made.size, &why))
		status = command_failed(EXIT_CODE_ERROR, &why);
	else
		printf("%s: %zu bytes\n", output, made.size);
	file_free(&made);
	return status;
}

static const struct verb verbs[] = {
	{ "build", "make the manifest of a kernel file", manifest_make },
	{ "inspect", "show what a manifest holds", manifest_inspect },
	{ "explain", "show what may stand at an address", manifest_explain },
	{ "diff", "show how two manifests differ", manifest_diff },
};

int cmd_manifest(int argc, char **argv)
{
	return command_verb("manifest", verbs, sizeof(verbs) / sizeof(verbs[0]),
			    argc, argv);
}
