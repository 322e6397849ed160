/* SPDX-License-Identifier: MIT */
#include "monitor/arm.h"

#include <ringwall/config.h>
#include <string.h>

#include "monitor/event.h"
#include "monitor/guard/guard.h"
#include "monitor/locate.h"
#include "monitor/log.h"
#include "monitor/memory.h"
#include "monitor/percpu.h"
#include "monitor/spinlock.h"
#include "monitor/wall.h"
#include "policy/policy.h"

/* A stretch of guest memory and the rule that protects it. */
struct range {
	gpa_t start;
	uint64_t size;
	uint32_t rule; /* index in the policy */
};

/* A policy with everything found out that it takes to enforce it. */
struct armed {
	struct policy policy;
	uint8_t digest[RW_SHA256_SIZE];
	uint8_t key_id[RW_KEY_ID_SIZE];
	uint64_t slide;
	uint64_t displacement; /* of the image: physical less linear address */
	uint32_t ranges;
	struct range range[RW_POLICY_MAX_RULES];
	uint64_t hits[RW_POLICY_MAX_RULES];
};

static struct policy_key keys[RW_BOOT_KEYS];
static uint32_t key_count;

/*
 * Locks, in this order: upload_lock covers the upload and `candidate`;
 * table_lock covers current, state and generation. A violation takes only the
 * second, which is held for the moment of the change.
 */
static struct spinlock upload_lock, table_lock;
static uint8_t *upload;
static unsigned int upload_order;
static uint64_t upload_size, upload_got;
static struct armed candidate;

static struct armed current; /* policy.header.serial 0: none */
static enum rw_state state = RW_STATE_ENABLED;
static uint64_t generation;

enum rw_error arm_init(const uint8_t (*points)[RW_KEY_POINT_SIZE],
		       uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		enum rw_error error = policy_key_init(points[i], &keys[i]);

		if (error)
			return error;
	}
	key_count = count;
	return RW_OK;
}

static void end_upload(void)
{
	if (upload)
		page_free(upload);
	upload = NULL;
	upload_size = upload_got = 0;
}

enum rw_error arm_begin(uint64_t size)
{
	enum rw_error error = RW_OK;

	if (!size || size > CONFIG_RINGWALL_POLICY_MAX_SIZE)
		return RW_E_POLICY_SIZE;
	if (!spin_trylock(&upload_lock))
		return RW_E_BUSY;
	end_upload();
	upload_order = 0;
	while (RW_PAGE_SIZE << upload_order < size)
		upload_order++;
	upload = page_alloc(upload_order);
	if (upload)
		upload_size = size;
	else
		error = RW_E_NO_MEMORY;
	spin_unlock(&upload_lock);
	return error;
}

enum rw_error arm_put(const void *bytes, uint64_t size)
{
	enum rw_error error = RW_OK;

	if (!spin_trylock(&upload_lock))
		return RW_E_BUSY;
	if (!upload) {
		error = RW_E_STATE;
	} else if (size > upload_size - upload_got) {
		error = RW_E_POLICY_SIZE;
	} else {
		memcpy(upload + upload_got, bytes, size);
		upload_got += size;
	}
	spin_unlock(&upload_lock);
	return error;
}

/* The upload is ours alone now; signature first, then meaning. */
static enum rw_error read_policy(struct armed *c)
{
	struct policy_signature signature;
	enum rw_error error;

	if (!upload)
		return RW_E_STATE;
	if (upload_got != upload_size)
		return RW_E_POLICY_SIZE;
	fpu_begin();
	error = policy_verify(upload, upload_size, keys, key_count, &signature);
	fpu_end();
	if (error)
		return error;
	memcpy(c->digest, signature.digest, sizeof(c->digest));
	memcpy(c->key_id, signature.key_id, sizeof(c->key_id));
	return policy_parse(signature.body, signature.body_size, &c->policy);
}

/*
 * Where the kernel runs. It never moves: whoever loads the next policy through
 * tables of his own must not lead the protection away from what it covers.
 */
static enum rw_error find_kernel(struct pcpu *cpu, struct armed *c)
{
	const struct rw_policy_kernel *k = &c->policy.kernel;
	enum rw_error error = locate_slide(cpu, k, &c->slide);
	uint64_t start = k->text_start + c->slide, end = k->text_end + c->slide;
	gpa_t text;

	if (!error)
		error = locate_text(cpu, start, end);
	if (!error)
		error = locate_range(cpu, start, end, &text);
	if (error)
		return error;
	c->displacement = text.v - start;
	if (current.policy.header.serial &&
	    (c->slide != current.slide ||
	     c->displacement != current.displacement))
		return RW_E_POLICY_KERNEL_RANGE;
	return RW_OK;
}

/* Where the pages of every rule are; the image lies in one piece. */
static enum rw_error find_ranges(struct pcpu *cpu, struct armed *c)
{
	const struct rw_policy_kernel *k = &c->policy.kernel;
	enum rw_error error = find_kernel(cpu, c);

	for (uint32_t i = 0; !error && i < c->policy.rule_count; i++) {
		const struct guard *guard = guard_find(
			(enum rw_rule_target)c->policy.rule[i].target);
		struct range *r = &c->range[i];
		uint64_t start, end;

		if (!guard)
			return RW_E_POLICY_FIELD;
		for (uint32_t j = 0; j < i; j++)
			if (c->policy.rule[j].target == guard->target)
				return RW_E_POLICY_DUPLICATE;
		guard->extent(k, &start, &end);
		r->size = end - start;
		r->rule = i;
		error = locate_range(cpu, start + c->slide, end + c->slide,
				     &r->start);
		if (!error && r->start.v - start - c->slide != c->displacement)
			error = RW_E_POLICY_KERNEL_RANGE;
	}
	c->ranges = c->policy.rule_count;
	return error;
}

/* What was protected is opened and what shall be is closed, in one change. */
static enum rw_error apply(const struct armed *c)
{
	static struct wall_change change[2 * RW_POLICY_MAX_RULES];
	uint32_t n = 0;
	enum rw_error error;

	spin_lock(&table_lock);
	for (uint32_t i = 0; i < current.ranges; i++)
		change[n++] = (struct wall_change){ current.range[i].start,
						    current.range[i].size,
						    EPT_RWX };
	for (uint32_t i = 0; i < c->ranges; i++)
		change[n++] = (struct wall_change){ c->range[i].start,
						    c->range[i].size,
						    EPT_R | EPT_X };
	error = wall_apply(change, n, &generation);
	if (!error) {
		current = *c;
		state = RW_STATE_ARMING;
	}
	spin_unlock(&table_lock);
	return error;
}

static enum rw_error commit(struct pcpu *cpu)
{
	struct armed *c = &candidate;
	enum rw_error error = read_policy(c);

	if (!error)
		error = policy_accepts_update(arm_serial(), current.digest,
					      c->policy.header.serial,
					      c->digest);
	if (error)
		return error;
	if (arm_serial() == c->policy.header.serial)
		return RW_OK; /* the very same policy again */
	error = find_ranges(cpu, c);
	return error ? error : apply(c);
}

enum rw_error arm_commit(struct pcpu *cpu)
{
	enum rw_error error;

	if (!spin_trylock(&upload_lock))
		return RW_E_BUSY;
	memset(&candidate, 0, sizeof(candidate));
	error = commit(cpu);
	if (error)
		event_notice(cpu, RW_EVENT_POLICY_REFUSED,
			     candidate.policy.header.serial, error);
	end_upload();
	spin_unlock(&upload_lock);
	return error;
}

void arm_sync(struct pcpu *cpu)
{
	bool armed = false;

	spin_lock(&table_lock);
	if (state == RW_STATE_ARMING &&
	    (!generation || wall_reached(generation))) {
		state = RW_STATE_ARMED;
		armed = true;
	}
	spin_unlock(&table_lock);
	if (armed) {
		log_line("policy %u in force, slide %x", arm_serial(),
			 current.slide);
		event_notice(cpu, RW_EVENT_POLICY_LOADED, arm_serial(), 0);
	}
}

enum rw_state arm_state(void)
{
	return __atomic_load_n(&state, __ATOMIC_ACQUIRE);
}

uint64_t arm_serial(void)
{
	return __atomic_load_n(&current.policy.header.serial, __ATOMIC_RELAXED);
}

bool arm_locked(void)
{
	return __atomic_load_n(&current.policy.header.flags, __ATOMIC_RELAXED) &
	       RW_POLICY_LOCK;
}

bool arm_rule(gpa_t at, struct rw_policy_rule *ret)
{
	bool found = false;

	spin_lock(&table_lock);
	for (uint32_t i = 0; i < current.ranges && !found; i++) {
		const struct range *r = &current.range[i];

		if (at.v - r->start.v < r->size) {
			*ret = current.policy.rule[r->rule];
			found = true;
		}
	}
	spin_unlock(&table_lock);
	return found;
}

void arm_hit(uint32_t rule_id)
{
	spin_lock(&table_lock);
	for (uint32_t i = 0; i < current.policy.rule_count; i++)
		if (current.policy.rule[i].id == rule_id)
			current.hits[i]++;
	spin_unlock(&table_lock);
}

bool arm_excepted(const struct rw_policy_rule *rule,
		  const struct guest_write *w)
{
	const struct guard *guard =
		guard_find((enum rw_rule_target)rule->target);
	uint64_t start, end;

	if (!guard || !guard->excepted)
		return false;
	spin_lock(&table_lock);
	start = current.policy.kernel.text_start + current.slide;
	end = current.policy.kernel.text_end + current.slide;
	spin_unlock(&table_lock);
	return guard->excepted(rule, w, start, end);
}

static void rule_status(uint32_t i, struct rw_status_rule *ret)
{
	const struct rw_policy_rule *r = &current.policy.rule[i];

	ret->id = r->id;
	ret->target = r->target;
	ret->mode = r->mode;
	ret->action = r->action;
	ret->flags = r->flags;
	ret->severity = r->severity;
	ret->pages = current.range[i].size / RW_PAGE_SIZE;
	ret->hits = current.hits[i];
	memcpy(ret->name, r->name, sizeof(ret->name));
}

void arm_status(struct rw_status *ret)
{
	const struct rw_policy_header *h = &current.policy.header;
	const struct rw_policy_kernel *k = &current.policy.kernel;

	spin_lock(&table_lock);
	ret->state = state;
	ret->policy_serial = h->serial;
	ret->policy_flags = h->flags;
	ret->policy_rules = current.policy.rule_count;
	memcpy(ret->policy_digest, current.digest, sizeof(current.digest));
	memcpy(ret->policy_key_id, current.key_id, sizeof(current.key_id));
	memcpy(ret->policy_name, h->name, sizeof(h->name));
	memcpy(ret->policy_build_id, k->build_id, sizeof(k->build_id));
	ret->kaslr_slide = current.slide;
	ret->text_pages = (k->text_end - k->text_start) / RW_PAGE_SIZE;
	ret->rodata_pages = (k->rodata_end - k->rodata_start) / RW_PAGE_SIZE;
	for (uint32_t i = 0;
	     i < current.policy.rule_count && i < RW_STATUS_RULES; i++)
		rule_status(i, &ret->rules[i]);
	spin_unlock(&table_lock);
}
