/* SPDX-License-Identifier: MIT */
/*
 * Policy files as the tools handle them: made from a source and a kernel, taken
 * apart into body and trailer, given a signature.
 */
#ifndef AGENT_POLICY_BODY_H
#define AGENT_POLICY_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include <ringwall/error.h>
#include <ringwall/policy.h>

#include "agent/policy/files.h"
#include "agent/policy/keys.h"
#include "agent/policy/source.h"

/** The largest body that body_compose() makes. */
#define BODY_MAX                                                             \
	(sizeof(struct rw_policy_header) + sizeof(struct rw_policy_kernel) + \
	 RW_POLICY_MAX_RULES * sizeof(struct rw_policy_rule))

/**
 * The body of a policy: the same bytes for the same source and kernel. Returns
 * its size, after the policy library itself has accepted it; 0: it did not.
 */
size_t body_compose(const struct policy_source *source,
		    const struct rw_policy_kernel *kernel,
		    uint8_t ret[BODY_MAX]);

/** A policy file; body and trailer lie in file. */
struct policy_file {
	struct file file;
	size_t body_size;
	bool has_trailer; /* the trailer follows the body and ends the file */
};

/**
 * Reads a file that is a body, or a body with a trailer; looks at nothing else.
 * Returns an enum agent_exit; after success the caller frees ret->file.
 */
RW_MUST_USE int policy_file_read(const char *path, struct policy_file *ret,
				 struct problem *why);

/** The trailer of a file that has one. */
struct rw_policy_trailer policy_file_trailer(const struct policy_file *policy);

/**
 * Writes the body with a trailer for that signature to path, once the policy
 * library has accepted the body and the signature. Returns an enum agent_exit.
 */
RW_MUST_USE int policy_file_write_signed(const char *path,
					 const struct policy_file *policy,
					 const struct key_signature *signature,
					 struct problem *why);

#endif
