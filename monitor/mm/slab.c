/* SPDX-License-Identifier: MIT */
#include "monitor/mm/slab.h"

#include <string.h>

#include "monitor/mm/frame.h"

#define SLAB_ORDER_MAX	 2
#define SLAB_OBJECTS_MIN 7 /* so that at most 1/8 of a slab is wasted */
#define SLAB_ALIGN_MAX	 64
#define MAGAZINE_BYTES	 32768 /* most memory that lies in one magazine */
#define MAGAZINE_MIN	 4

/* State of an object: the next free one's number, or one of these. */
#define OBJECT_LAST   253 /* free, the last one */
#define OBJECT_CACHED 254 /* in a magazine */
#define OBJECT_USED   255

_Static_assert(RW_PAGE_SIZE / (SLAB_SIZE_MIN + 1) < OBJECT_LAST, "8 bits do");

/** Header of a slab, at its start. The cache's lock covers all but state USED. */
struct slab {
	struct slab_cache *cache;
	struct slab *next; /* among those with free objects */
	struct slab *prev;
	uint32_t available; /* free objects */
	uint32_t free;	    /* number of the first, or OBJECT_LAST */
	uint8_t state[];    /* per object */
};

/*
 * Whether an address is that of a slab of this cache. While a chunk is removed
 * the answer may be a wrong no, since the buddy's lock is not taken.
 */
static inline bool slab_likely(const struct slab_cache *c, const struct slab *s)
{
	const struct buddy_chunk *chunk;
	uintptr_t place;

	return chunk_find(c->buddy, (uintptr_t)s, &chunk, &place) &&
	       s->cache == c;
}

/* The same for sure. */
static __attribute__((noinline)) bool slab_valid(const struct slab_cache *c,
						 const struct slab *s)
{
	bool valid = slab_likely(c, s);

	if (valid)
		return true;
	spin_lock(&c->buddy->lock);
	valid = slab_likely(c, s);
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
		uint32_t bytes = RW_PAGE_SIZE << c->order;
		uint32_t n = bytes / c->size;

		while (header_bytes(n, c->size) + n * c->size > bytes)
			n--;
		c->per_slab = n;
		c->first = header_bytes(n, c->size);
		c->mask = -(uintptr_t)bytes;
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
	c->owner = owner;
	c->limit = MAGAZINE_BYTES / c->size;
	if (c->limit > SLAB_MAGAZINE)
		c->limit = SLAB_MAGAZINE;
	if (c->limit < MAGAZINE_MIN)
		c->limit = MAGAZINE_MIN;
	for (unsigned int cpu = 0; cpu < cpus; cpu++) {
		magazines[cpu].top = magazines[cpu].entry;
		magazines[cpu].full = magazines[cpu].entry + c->limit;
	}
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
	enum mm_error error = buddy_alloc(c->buddy, c->order, c->owner, &block);

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

/* Moves objects of the first slab that has some to a magazine, to half at most. */
static enum mm_error slab_take(struct slab_cache *c, struct slab_magazine *m)
{
	struct slab *s = c->partial;
	struct slab_entry *half = m->entry + c->limit / 2;
	struct slab_entry *top = m->top;
	uint32_t i;

	if (!slab_valid(c, s))
		return MM_E_CORRUPT;
	for (i = s->free; top < half && i < c->per_slab; top++) {
		uint8_t *state = &s->state[i];

		if (*state >= OBJECT_CACHED)
			break;
		top->state = state;
		top->object = (char *)s + c->first + i * c->size;
		i = *state;
		*state = OBJECT_CACHED;
	}
	c->taken += top - m->top;
	s->available -= top - m->top;
	m->top = top;
	s->free = i;
	if (i != OBJECT_LAST)
		return top == half && i < c->per_slab ? MM_OK : MM_E_CORRUPT;
	return !s->available && list_remove(c, s) ? MM_OK : MM_E_CORRUPT;
}

/* Fills an empty magazine by half. What was found before an error is kept. */
static enum mm_error magazine_fill(struct slab_cache *c,
				   struct slab_magazine *m)
{
	enum mm_error error = MM_OK;

	spin_lock(&c->lock);
	while (!error && m->top < m->entry + c->limit / 2) {
		if (!c->partial)
			error = slab_grow(c);
		if (!error)
			error = slab_take(c, m);
	}
	spin_unlock(&c->lock);
	return error == MM_E_NO_MEMORY && m->top > m->entry ? MM_OK : error;
}

/* Puts an object back into its slab, and a slab that is whole to the buddy. */
static enum mm_error slab_give(struct slab_cache *c, uint8_t *state)
{
	struct slab *s = (struct slab *)((uintptr_t)state & c->mask);
	uint32_t available = s->available + 1;
	uint32_t free = s->free;

	if (s->cache != c || *state != OBJECT_CACHED ||
	    available > c->per_slab ||
	    (free >= c->per_slab && free != OBJECT_LAST))
		return MM_E_CORRUPT;
	*state = free;
	s->free = state - s->state;
	s->available = available;
	c->taken--;
	if (available == 1)
		list_insert(c, s);
	if (available < c->per_slab)
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
	while (!error && m->top > m->entry + n)
		error = slab_give(c, (--m->top)->state);
	spin_unlock(&c->lock);
	return error;
}

/* Hands out the newest object of a magazine that has one. */
static inline enum mm_error magazine_take(struct slab_magazine *m, void **ret)
{
	struct slab_entry e = m->top[-1];

	if (*e.state != OBJECT_CACHED)
		return MM_E_CORRUPT;
	m->top--;
	*ret = e.object;
	*e.state = OBJECT_USED;
	return MM_OK;
}

static __attribute__((noinline)) enum mm_error
alloc_cold(struct slab_cache *c, struct slab_magazine *m, void **ret)
{
	enum mm_error error = magazine_fill(c, m);

	return error ? error : magazine_take(m, ret);
}

enum mm_error slab_alloc(struct slab_cache *c, unsigned int cpu, void **ret)
{
	struct slab_magazine *m = &c->magazine[cpu];

	if (cpu >= c->cpus)
		return MM_E_ARGUMENT;
	return m->top > m->entry ? magazine_take(m, ret) :
				   alloc_cold(c, m, ret);
}

static inline void magazine_put(struct slab_magazine *m, uint8_t *state,
				void *object)
{
	struct slab_entry *e = m->top++;

	e->state = state;
	e->object = object;
	*state = OBJECT_CACHED;
}

static __attribute__((noinline)) enum mm_error
free_cold(struct slab_cache *c, struct slab_magazine *m, uint8_t *state,
	  void *object)
{
	enum mm_error error = magazine_flush(c, m, c->limit / 2);

	if (!error)
		magazine_put(m, state, object);
	return error;
}

/* As slab_free(), where `s` is a slab of the cache. */
static inline enum mm_error free_known(struct slab_cache *c, unsigned int cpu,
				       struct slab *s, void *object)
{
	uint32_t offset = (uintptr_t)object - (uintptr_t)s - c->first;
	uint64_t number = offset * c->reciprocal;
	struct slab_magazine *m = &c->magazine[cpu];
	uint8_t *state = &s->state[number >> 32];

	/* The low half is the remainder, times the reciprocal. */
	if ((uint32_t)number >= c->reciprocal || number >> 32 >= c->per_slab)
		return MM_E_INTERIOR;
	if (*state != OBJECT_USED)
		return MM_E_DOUBLE_FREE;
	if (m->top >= m->full)
		return free_cold(c, m, state, object);
	magazine_put(m, state, object);
	return MM_OK;
}

static __attribute__((noinline)) enum mm_error
free_unlikely(struct slab_cache *c, unsigned int cpu, struct slab *s,
	      void *object)
{
	return slab_valid(c, s) ? free_known(c, cpu, s, object) : MM_E_FOREIGN;
}

enum mm_error slab_free(struct slab_cache *c, unsigned int cpu, void *object)
{
	struct slab *s = (struct slab *)((uintptr_t)object & c->mask);

	if (cpu >= c->cpus)
		return MM_E_ARGUMENT;
	if (!slab_likely(c, s))
		return free_unlikely(c, cpu, s, object);
	return free_known(c, cpu, s, object);
}

enum mm_error slab_drain(struct slab_cache *c, unsigned int cpu)
{
	if (cpu >= c->cpus)
		return MM_E_ARGUMENT;
	return magazine_flush(c, &c->magazine[cpu], 0);
}
