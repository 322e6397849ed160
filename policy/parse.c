/* SPDX-License-Identifier: MIT */
/*
 * What a policy says. A cursor walks the records once, each type is read by its
 * row of a table; what is good is remembered by its place, and copied out only
 * when all of it was good. Must never look behind the cursor's end.
 */
#include "policy/policy.h"

struct cursor {
	const uint8_t *at;
	size_t left;
};

/** Places of the records found so far. */
struct found {
	const uint8_t *kernel;
	uint32_t rule_count;
	const uint8_t *rule[RW_POLICY_MAX_RULES];
};

/** The next size bytes, or NULL if there are fewer. */
static const uint8_t *take(struct cursor *cursor, size_t size)
{
	const uint8_t *at = cursor->at;

	if (size > cursor->left)
		return NULL;
	cursor->at += size;
	cursor->left -= size;
	return at;
}

/** Printable ASCII without space, at least one, then zeros to the end. */
static bool name_is_valid(const char name[RW_POLICY_NAME_SIZE])
{
	size_t length = 0;

	while (length < RW_POLICY_NAME_SIZE && name[length] > ' ' &&
	       name[length] <= '~')
		length++;
	if (!length || length == RW_POLICY_NAME_SIZE)
		return false;
	while (length < RW_POLICY_NAME_SIZE && !name[length])
		length++;
	return length == RW_POLICY_NAME_SIZE;
}

/** Page aligned, not empty, inside the kernel image map. */
static bool range_is_valid(uint64_t start, uint64_t end)
{
	return start % 4096 == 0 && end % 4096 == 0 &&
	       start >= POLICY_KERNEL_START && start < end &&
	       end <= POLICY_KERNEL_END;
}

static enum rw_error check_header(const struct rw_policy_header *header,
				  size_t size)
{
	if (header->magic != RW_POLICY_MAGIC)
		return RW_E_POLICY_MAGIC;
	if (header->version != RW_POLICY_VERSION)
		return RW_E_POLICY_VERSION;
	if (header->header_size != sizeof(*header) ||
	    header->total_size != size)
		return RW_E_POLICY_SIZE;
	if (!header->serial || header->flags & ~RW_POLICY_FLAGS ||
	    !name_is_valid(header->name))
		return RW_E_POLICY_FIELD;
	return RW_OK;
}

static enum rw_error read_kernel(const uint8_t *record, struct found *found)
{
	struct rw_policy_kernel kernel;

	if (found->kernel)
		return RW_E_POLICY_DUPLICATE;
	__builtin_memcpy(&kernel, record, sizeof(kernel));
	if (kernel.reserved ||
	    !range_is_valid(kernel.text_start, kernel.text_end) ||
	    !range_is_valid(kernel.rodata_start, kernel.rodata_end) ||
	    kernel.text_end > kernel.rodata_start ||
	    kernel.build_id_address < kernel.rodata_start ||
	    kernel.build_id_address > kernel.rodata_end - RW_BUILD_ID_SIZE)
		return RW_E_POLICY_FIELD;
	found->kernel = record;
	return RW_OK;
}

/** A mode has its actions; an audit that blocks is as wrong as the reverse. */
static bool action_suits(uint8_t mode, uint8_t action)
{
	switch (mode) {
	case RW_MODE_AUDIT:
		return action == RW_ACTION_ALLOW;
	case RW_MODE_ENFORCE:
		return action == RW_ACTION_FAULT || action == RW_ACTION_DISCARD;
	default:
		return false;
	}
}

static bool flags_suit(uint16_t target, uint32_t flags)
{
	switch (target) {
	case RW_TARGET_KERNEL_TEXT:
		return !(flags & ~RW_RULE_TEXT_POKE);
	case RW_TARGET_KERNEL_RODATA:
		return !flags;
	default:
		return false;
	}
}

static enum rw_error read_rule(const uint8_t *record, struct found *found)
{
	struct rw_policy_rule rule;
	struct rw_policy_rule other;

	__builtin_memcpy(&rule, record, sizeof(rule));
	if (!rule.id || !flags_suit(rule.target, rule.flags) ||
	    !action_suits(rule.mode, rule.action) || rule.severity < 1 ||
	    rule.severity > 5 || !name_is_valid(rule.name))
		return RW_E_POLICY_FIELD;
	for (uint32_t i = 0; i < found->rule_count; i++) {
		__builtin_memcpy(&other, found->rule[i], sizeof(other));
		if (other.id == rule.id || other.target == rule.target)
			return RW_E_POLICY_DUPLICATE;
	}
	if (found->rule_count == RW_POLICY_MAX_RULES)
		return RW_E_POLICY_SIZE;
	found->rule[found->rule_count++] = record;
	return RW_OK;
}

/** Every type of record the format knows, and the sizes it may have. */
static const struct record_type {
	uint32_t type;
	uint32_t size_min;
	uint32_t size_max;
	enum rw_error (*read)(const uint8_t *record, struct found *found);
} record_types[] = {
	{ RW_RECORD_KERNEL, sizeof(struct rw_policy_kernel),
	  sizeof(struct rw_policy_kernel), read_kernel },
	{ RW_RECORD_RULE, sizeof(struct rw_policy_rule),
	  sizeof(struct rw_policy_rule), read_rule },
};

static enum rw_error read_record(struct cursor *cursor, struct found *found)
{
	const struct record_type *type = record_types;
	const struct record_type *end =
		type + sizeof(record_types) / sizeof(record_types[0]);
	struct rw_policy_record record;
	const uint8_t *at = cursor->at;

	if (cursor->left < sizeof(record))
		return RW_E_POLICY_SIZE;
	__builtin_memcpy(&record, at, sizeof(record));
	while (type < end && type->type != record.type)
		type++;
	if (type == end)
		return RW_E_POLICY_RECORD;
	if (record.size < type->size_min || record.size > type->size_max ||
	    record.size % 8 || !take(cursor, record.size))
		return RW_E_POLICY_SIZE;
	return type->read(at, found);
}

static enum rw_error read_records(struct cursor *cursor, uint32_t count,
				  struct found *found)
{
	enum rw_error error = RW_OK;

	while (!error && count--)
		error = read_record(cursor, found);
	if (error)
		return error;
	if (cursor->left)
		return RW_E_POLICY_SIZE;
	if (!found->kernel || !found->rule_count)
		return RW_E_POLICY_MISSING;
	return RW_OK;
}

enum rw_error policy_parse(const void *body, size_t size, struct policy *ret)
{
	struct cursor cursor = { body, size };
	struct found found = { 0 };
	struct rw_policy_header header;
	const uint8_t *at = take(&cursor, sizeof(header));
	enum rw_error error;

	if (!at)
		return RW_E_POLICY_SIZE;
	__builtin_memcpy(&header, at, sizeof(header));
	error = check_header(&header, size);
	if (!error)
		error = read_records(&cursor, header.record_count, &found);
	if (error)
		return error;
	ret->header = header;
	__builtin_memcpy(&ret->kernel, found.kernel, sizeof(ret->kernel));
	ret->rule_count = found.rule_count;
	for (uint32_t i = 0; i < found.rule_count; i++)
		__builtin_memcpy(&ret->rule[i], found.rule[i],
				 sizeof(ret->rule[i]));
	return RW_OK;
}
