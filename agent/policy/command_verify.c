/* SPDX-License-Identifier: MIT */
/* ringwall policy verify: what the monitor will say, from its own library. */
#include <stdio.h>

#include <ringwall/boot.h>
#include <ringwall/config.h>

#include "agent/errors.h"
#include "agent/policy/command.h"
#include "agent/policy/files.h"
#include "agent/policy/trust.h"
#include "policy/policy.h"

/** The keys of a file or folder as the library wants them. */
static enum rw_error read_keys(const char *path,
			       struct policy_key keys[RW_BOOT_KEYS],
			       size_t *ret_count, struct problem *why)
{
	uint8_t points[RW_BOOT_KEYS][RW_KEY_POINT_SIZE];
	enum rw_error error;
	size_t count;

	error = trust_load(path, points, RW_BOOT_KEYS, &count, why);
	for (size_t i = 0; !error && i < count; i++) {
		error = policy_key_init(points[i], &keys[i]);
		if (error)
			problem_set(why, "%s: %s", path, error_text(error));
	}
	if (!error)
		*ret_count = count;
	return error;
}

static int check(const char *path, const struct file *file,
		 const struct policy_key *keys, size_t key_count)
{
	struct policy_signature signature;
	struct policy policy;
	enum rw_error error;

	error = policy_verify(file->data, file->size, keys, key_count,
			      &signature);
	if (!error)
		error = policy_parse(signature.body, signature.body_size,
				     &policy);
	if (error)
		return command_refused(path, error);
	printf("%s: good, policy %s, serial %ju, signed by key ", path,
	       policy.header.name, (uintmax_t)policy.header.serial);
	print_hex(signature.key_id, sizeof(signature.key_id));
	putchar('\n');
	return EXIT_CODE_OK;
}

int policy_check(int argc, char **argv)
{
	const char *trust = NULL, *path = NULL;
	const struct option_row options[] = { { 't', "trust", &trust } };
	const struct command_line line = {
		"ringwall policy verify --trust FOLDER|KEY.pub FILE.rwp",
		options, 1, &path, NULL
	};
	struct policy_key keys[RW_BOOT_KEYS];
	size_t key_count;
	struct problem why;
	struct file file;
	enum rw_error error;
	bool done;
	int status = command_parse(&line, argc, argv, &done);

	if (done)
		return status;
	if (!trust)
		return command_misused(&line, "--trust is missing");
	error = read_keys(trust, keys, &key_count, &why);
	if (error)
		return command_failed(error_exit_code(error), &why);
	if (!file_read(path, CONFIG_RINGWALL_POLICY_MAX_SIZE, &file, &why))
		return command_failed(EXIT_CODE_ERROR, &why);
	status = check(path, &file, keys, key_count);
	file_free(&file);
	return status;
}
