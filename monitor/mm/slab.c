/* SPDX-License-Identifier: MIT */
#include "monitor/mm/slab.h"

#include <string.h>

#include "monitor/mm/frame.h"

#define SLAB_ORDER_MAX 2
#define SLAB_OBJECTS_MIN 7 /* so that at most 1/8 of a slab is wasted */
#define SLAB_ALIGN_MAX 64
#define MAGAZINE_BYTES 16384 /* most memory that lies in one magazine */
#define MAGAZINE_MIN 4

/* State of an object: the next free one's number, or one of these. */
#define OBJECT_LAST 253 /* free, the last one */
#define OBJECT_CACHED 254 /* in a magazine */
#define OBJECT_USED 255

/** Header of a slab, at its start. The cache's lock covers all but state USED. */
struct slab {
	struct slab_cache *cache;
	struct slab *next; /* among those with free objects */
	struct slab *prev;
	uint32_t available; /* free objects */
	uint32_t free; /* number of the first, or OBJECT_LAST */
	uint8_t state[]; /* per object */
};

static uint32_t slab_bytes(const struct slab_cache *c)
{
	return RW_PAGE_SIZE << c->order;
}

static struct slab *slab_of(const struct slab_cache *c, const void *object)
{
	return (struct slab *)((uintptr_t)object & -(uintptr_t)slab_bytes(c));
}

/* Number of the object that an address in the slab lies in; may be too high. */
static uint32_t number_of(const struct slab_cache *c, const struct slab *s,
			  const void *object)
{
	uint32_t offset = (uintptr_t)object - (uintptr_t)s - c->first;

	return (uint64_t)offset * c->reciprocal >> 32;
}

static void *object_of(const struct slab_cache *c, const struct slab *s,
		       uint32_t number)
{
	return (char *)s + c->first + (size_t)number * c->size;
}

static bool slab_valid(const struct slab_cache *c, const struct slab *s)
{
	return block_has_tag(c->buddy, (uintptr_t)s, c->tag) && s->cache == c;
}

/* As slab_valid(), when it failed: once more while no chunk can be removed. */
static bool slab_valid_locked(const struct slab_cache *c, const struct slab *s)
{
	bool valid;

	spin_lock(&c->buddy->lock);
	valid = slab_valid(c, s);
	spin_unlock(&c->buddy->lock);
	return valid;
}

/* Bytes before the first object if a slab has n of them. */
static uint32_t header_bytes(uint32_t n, uint32_t size)
{
	uint32_t align = size & -size;

	if (align > SLAB_ALIGN_MAX)
		align = SLAB_ALIGN_MAX;
	return (sizeof(struct slab) + n + align - 1) & -align;
}

static void slab_shape(struct slab_cache *c)
{
	do {
		uint32_t bytes = slab_bytes(c);
		uint32_t n = bytes / c->size;

		while (header_bytes(n, c->size) + n * c->size > bytes)
			n--;
		c->per_slab = n;
		c->first = header_bytes(n, c->size);
	} while (c->per_slab < SLAB_OBJECTS_MIN && c->order++ < SLAB_ORDER_MAX);
}

enum mm_error slab_cache_init(struct slab_cache *c, struct buddy *b,
			      size_t size, unsigned int owner,
			      struct slab_magazine *magazines,
			      unsigned int cpus)
{
	if (size < SLAB_SIZE_MIN || size > SLAB_SIZE_MAX ||
	    owner >= BUDDY_OWNERS || !cpus)
		return MM_E_ARGUMENT;
	memset(c, 0, sizeof(*c));
	c->buddy = b;
	c->magazine = magazines;
	c->cpus = cpus;
	c->size = (size + SLAB_SIZE_MIN - 1) & -SLAB_SIZE_MIN;
	c->reciprocal = ((1ULL << 32) + c->size - 1) / c->size;
	slab_shape(c);
	c->tag = frame_tag_used(c->order, owner);
	c->limit = MAGAZINE_BYTES / c->size;
	if (c->limit > SLAB_MAGAZINE)
		c->limit = SLAB_MAGAZINE;
	if (c->limit < MAGAZINE_MIN)
		c->limit = MAGAZINE_MIN;
	return MM_OK;
}

static void list_insert(struct slab_cache *c, struct slab *s)
{
	s->prev = NULL;
	s->next = c->partial;
	if (s->next)
		s->next->prev = s;
	c->partial = s;
}

/* Takes a slab off the list if its neighbours know it. */
static bool list_remove(struct slab_cache *c, struct slab *s)
{
	if (s->next && (!slab_valid(c, s->next) || s->next->prev != s))
		return false;
	if (s->prev ? !slab_valid(c, s->prev) || s->prev->next != s :
		      c->partial != s)
		return false;
	if (s->next)
		s->next->prev = s->prev;
	if (s->prev)
		s->prev->next = s->next;
	else
		c->partial = s->next;
	return true;
}

static enum mm_error slab_grow(struct slab_cache *c)
{
	void *block;
	struct slab *s;
	enum mm_error error =
		buddy_alloc(c->buddy, c->order, c->tag >> FRAME_OWNER_SHIFT,
			    &block);

	if (error)
		return error;
	s = block;
	s->cache = c;
	s->available = c->per_slab;
	s->free = 0;
	for (uint32_t i = 0; i < c->per_slab; i++)
		s->state[i] = i + 1;
	s->state[c->per_slab - 1] = OBJECT_LAST;
	list_insert(c, s);
	c->slabs++;
	return MM_OK;
}

/* Moves up to n objects of the first slab with free ones to the magazine. */
static enum mm_error slab_take(struct slab_cache *c, struct slab_magazine *m,
			       uint32_t n)
{
	struct slab *s = c->partial;

	if (!slab_valid(c, s))
		return MM_E_CORRUPT;
	while (m->count < n && s->available) {
		uint32_t i = s->free;

		if (i >= c->per_slab || s->state[i] >= OBJECT_CACHED)
			return MM_E_CORRUPT;
		s->free = s->state[i];
		s->state[i] = OBJECT_CACHED;
		s->available--;
		m->object[m->count++] = object_of(c, s, i);
		c->taken++;
	}
	if (s->available)
		return MM_OK;
	return s->free == OBJECT_LAST && list_remove(c, s) ? MM_OK :
							     MM_E_CORRUPT;
}

/* Fills an empty magazine by half. What was found before an error is kept. */
static enum mm_error magazine_fill(struct slab_cache *c,
				   struct slab_magazine *m)
{
	enum mm_error error = MM_OK;

	spin_lock(&c->lock);
	while (!error && m->count < c->limit / 2) {
		if (!c->partial)
			error = slab_grow(c);
		if (!error)
			error = slab_take(c, m, c->limit / 2);
	}
	spin_unlock(&c->lock);
	return error == MM_E_NO_MEMORY && m->count ? MM_OK : error;
}

/* Puts an object back into its slab, and a slab that is whole to the buddy. */
static enum mm_error slab_give(struct slab_cache *c, void *object)
{
	struct slab *s = slab_of(c, object);
	uint32_t i = number_of(c, s, object);

	if (!slab_valid(c, s) || i >= c->per_slab ||
	    s->state[i] != OBJECT_CACHED || s->available >= c->per_slab)
		return MM_E_CORRUPT;
	s->state[i] = s->free;
	s->free = i;
	c->taken--;
	if (!s->available++)
		list_insert(c, s);
	if (s->available < c->per_slab)
		return MM_OK;
	if (!list_remove(c, s))
		return MM_E_CORRUPT;
	s->cache = NULL;
	c->slabs--;
	return buddy_free(c->buddy, s);
}

/* Empties a magazine down to n objects. */
static enum mm_error magazine_flush(struct slab_cache *c,
				    struct slab_magazine *m, uint32_t n)
{
	enum mm_error error = MM_OK;

	spin_lock(&c->lock);
	while (!error && m->count > n)
		error = slab_give(c, m->object[--m->count]);
	spin_unlock(&c->lock);
	return error;
}

enum mm_error slab_alloc(struct slab_cache *c, unsigned int cpu, void **ret)
{
	struct slab_magazine *m;
	struct slab *s;
	void *object;
	uint32_t i;

	if (cpu >= c->cpus)
		return MM_E_ARGUMENT;
	m = &c->magazine[cpu];
	if (!m->count) {
		enum mm_error error = magazine_fill(c, m);

		if (error)
			return error;
	}
	object = m->object[m->count - 1];
	s = slab_of(c, object);
	i = number_of(c, s, object);
	if (s->state[i] != OBJECT_CACHED)
		return MM_E_CORRUPT;
	s->state[i] = OBJECT_USED;
	m->count--;
	*ret = object;
	return MM_OK;
}

enum mm_error slab_free(struct slab_cache *c, unsigned int cpu, void *object)
{
	struct slab *s = slab_of(c, object);
	struct slab_magazine *m;
	uint32_t i;

	if (cpu >= c->cpus)
		return MM_E_ARGUMENT;
	if (!slab_valid(c, s) && !slab_valid_locked(c, s))
		return MM_E_FOREIGN;
	i = number_of(c, s, object);
	if (i >= c->per_slab || object != object_of(c, s, i))
		return MM_E_INTERIOR;
	if (s->state[i] != OBJECT_USED)
		return MM_E_DOUBLE_FREE;
	m = &c->magazine[cpu];
	if (m->count >= c->limit) {
		enum mm_error error = magazine_flush(c, m, c->limit / 2);

		if (error)
			return error;
	}
	s->state[i] = OBJECT_CACHED;
	m->object[m->count++] = object;
	return MM_OK;
}

enum mm_error slab_drain(struct slab_cache *c, unsigned int cpu)
{
	if (cpu >= c->cpus)
		return MM_E_ARGUMENT;
	return magazine_flush(c, &c->magazine[cpu], 0);
}
