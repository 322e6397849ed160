/* SPDX-License-Identifier: MIT */
/*
 * ringwall policy sign: with a private key, or by attaching a signature that
 * was made elsewhere (openssl, a token, a key service).
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "agent/errors.h"
#include "agent/policy/body.h"
#include "agent/policy/command.h"
#include "agent/policy/keys.h"

static bool read_signature(const char *signature, const char *public,
			   struct key_signature *ret, struct problem *why)
{
	struct file file;

	if (!key_read_public(public, ret->point, why) ||
	    !file_read(signature, sizeof(ret->der), &file, why))
		return false;
	memcpy(ret->der, file.data, file.size);
	ret->size = file.size;
	file_free(&file);
	return true;
}

struct sign_options {
	const char *key, *signature, *public, *output;
};

static int sign(const char *path, const struct sign_options *with)
{
	const char *output = with->output ? with->output : path;
	struct key_signature signature = { .size = 0 };
	struct policy_file policy;
	struct problem why;
	bool good;
	int status = policy_file_read(path, &policy, &why);

	if (status)
		return command_failed(status, &why);
	if (with->key)
		good = key_sign(with->key, policy.file.data, policy.body_size,
				&signature, &why);
	else
		good = read_signature(with->signature, with->public, &signature,
				      &why);
	status = good ? policy_file_write_signed(output, &policy, &signature,
						 &why) :
			EXIT_CODE_ERROR;
	file_free(&policy.file);
	if (status)
		return command_failed(status, &why);
	printf("%s: signed\n", output);
	return EXIT_CODE_OK;
}

int policy_sign(int argc, char **argv)
{
	struct sign_options with = { 0 };
	const char *path = NULL;
	const struct option_row options[] = {
		{ 'k', "key", &with.key },
		{ 'o', "output", &with.output },
		{ 0, "signature", &with.signature },
		{ 0, "public", &with.public },
	};
	const struct command_line line = {
		"ringwall policy sign -k KEY.pem [-o OUT.rwp] FILE.rwp\n"
		"       ringwall policy sign --signature SIG.der --public KEY.pub [-o OUT.rwp] FILE.rwp",
		options, 4, &path, NULL
	};
	bool done;
	int status = command_parse(&line, argc, argv, &done);

	if (done)
		return status;
	if (with.key && (with.signature || with.public))
		return command_misused(&line,
				       "-k excludes --signature and --public");
	if (!with.key && !(with.signature && with.public))
		return command_misused(
			&line, "-k, or --signature and --public, are missing");
	return sign(path, &with);
}
