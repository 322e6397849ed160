/* SPDX-License-Identifier: MIT */
#include "tests/mm/memory.h"

#include <pthread.h>
#include <sched.h>

#include "monitor/mm/slab.h"

#define OWNER 5
#define CPUS  4

static struct slab_magazine magazines[8][CPUS];
static struct slab_cache caches[8];

static struct slab_cache *cache_new(struct memory *m, size_t n, size_t size)
{
	assert_int_equal(slab_cache_init(&caches[n], &m->buddy, size, OWNER,
					 magazines[n], CPUS),
			 MM_OK);
	return &caches[n];
}

static void *take(struct slab_cache *c, unsigned int cpu)
{
	void *p = NULL;

	assert_int_equal(slab_alloc(c, cpu, &p), MM_OK);
	return p;
}

static void give(struct slab_cache *c, unsigned int cpu, void *p)
{
	assert_int_equal(slab_free(c, cpu, p), MM_OK);
}

/* With all objects free, nothing is left of a cache after this. */
static void cache_end(struct slab_cache *c)
{
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		assert_int_equal(slab_drain(c, cpu), MM_OK);
	assert_int_equal(c->taken, 0);
	assert_int_equal(c->slabs, 0);
	assert_null(c->partial);
	assert_int_equal(c->lock.next, c->lock.serving);
	buddy_audit(c->buddy);
	assert_int_equal(c->buddy->counters.owned[OWNER], 0);
}

static void objects_of_every_size_are_aligned_and_apart(void **state)
{
	struct memory *m = *state;
	unsigned char *p[300];

	memory_donate(m, 3, 1500);
	for (size_t size = SLAB_SIZE_MIN; size <= SLAB_SIZE_MAX; size++) {
		struct slab_cache *c = cache_new(m, 0, size);
		size_t rounded = (size + 15) / 16 * 16;
		size_t align = rounded & -rounded;

		for (size_t i = 0; i < 300; i++) {
			p[i] = take(c, i % CPUS);
			assert_int_equal(
				(uintptr_t)p[i] % (align > 64 ? 64 : align), 0);
			memset(p[i], (int)i, size);
		}
		for (size_t i = 0; i < 300; i++) {
			assert_int_equal(p[i][0], i % 256);
			assert_memory_equal(p[i], p[i] + 1, size - 1);
			give(c, i % CPUS, p[i]);
		}
		assert_true(c->slabs * (RW_PAGE_SIZE << c->order) <=
			    (300 + CPUS * SLAB_MAGAZINE + c->per_slab) *
				    (rounded + 1) * 8 / 7);
		cache_end(c);
	}
}

static void a_cache_that_cannot_be_is_refused(void **state)
{
	struct memory *m = *state;
	struct slab_cache *c = &caches[0];
	struct slab_magazine *z = magazines[0];

	assert_int_equal(slab_cache_init(c, &m->buddy, 15, 0, z, 1),
			 MM_E_ARGUMENT);
	assert_int_equal(slab_cache_init(c, &m->buddy, 2049, 0, z, 1),
			 MM_E_ARGUMENT);
	assert_int_equal(slab_cache_init(c, &m->buddy, 0, 0, z, 1),
			 MM_E_ARGUMENT);
	assert_int_equal(slab_cache_init(c, &m->buddy, 64, BUDDY_OWNERS, z, 1),
			 MM_E_ARGUMENT);
	assert_int_equal(slab_cache_init(c, &m->buddy, 64, 0, z, 0),
			 MM_E_ARGUMENT);
}

static void a_cpu_that_is_not_there_is_refused(void **state)
{
	struct memory *m = *state;
	struct slab_cache *c = cache_new(m, 0, 64);
	void *p = m, *q;

	memory_donate(m, 0, 64);
	assert_int_equal(slab_alloc(c, CPUS, &p), MM_E_ARGUMENT);
	assert_int_equal(slab_alloc(c, ~0U, &p), MM_E_ARGUMENT);
	assert_ptr_equal(p, m);
	q = take(c, 0);
	assert_int_equal(slab_free(c, CPUS, q), MM_E_ARGUMENT);
	assert_int_equal(slab_drain(c, CPUS), MM_E_ARGUMENT);
	give(c, 0, q);
	cache_end(c);
}

static void exhaustion_fails_the_request_and_loses_nothing(void **state)
{
	static void *objects[4096];
	struct memory *m = *state;
	struct slab_cache *c = cache_new(m, 0, 200);
	size_t n = 0, again = 0;
	void *p = m;

	memory_donate(m, 0, 21);
	while (!slab_alloc(c, 0, &objects[n]))
		n++;
	assert_int_equal(n, 20 * c->per_slab);
	assert_int_equal(slab_alloc(c, 1, &p), MM_E_NO_MEMORY);
	assert_ptr_equal(p, m);
	assert_int_equal(m->buddy.counters.free, 0);
	while (again < n)
		give(c, 2, objects[again++]);
	for (again = 0; !slab_alloc(c, 3, &p); again++)
		;
	assert_in_range(again, n - SLAB_MAGAZINE, n);
}

static void memory_goes_back_when_the_last_object_does(void **state)
{
	struct memory *m = *state;
	struct slab_cache *c = cache_new(m, 0, 2048);
	void *objects[100];

	memory_donate(m, 0, 1024);
	for (size_t i = 0; i < 100; i++)
		objects[i] = take(c, i % CPUS);
	assert_true(m->buddy.counters.owned[OWNER] >= 100 / 2);
	for (size_t i = 0; i < 100; i++)
		give(c, (i + 1) % CPUS, objects[i]);
	assert_true(c->slabs > 0);
	cache_end(c);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(slab_free(c, 0, objects[i]), MM_E_FOREIGN);
}

static void an_object_freed_twice_is_refused_wherever_it_lies(void **state)
{
	struct memory *m = *state;
	struct slab_cache *c = cache_new(m, 0, 96);
	void *objects[400];

	memory_donate(m, 0, 64);
	for (size_t i = 0; i < 400; i++)
		objects[i] = take(c, 0);
	for (size_t i = 0; i < 390; i++) {
		give(c, i % 3, objects[i]);
		for (unsigned int cpu = 0; cpu < CPUS; cpu++)
			assert_int_equal(slab_free(c, cpu, objects[i]),
					 MM_E_DOUBLE_FREE);
	}
	for (size_t i = 0; i < 390; i++) {
		enum mm_error error = slab_free(c, 3, objects[i]);

		/* Slabs that have returned to the buddy are known no more. */
		assert_true(error == MM_E_DOUBLE_FREE || error == MM_E_FOREIGN);
	}
	for (size_t i = 390; i < 400; i++)
		give(c, 1, objects[i]);
	cache_end(c);
}

static void an_address_inside_an_object_is_refused(void **state)
{
	static const size_t sizes[] = { 16, 48, 240, 1040, 2048 };
	struct memory *m = *state;

	memory_donate(m, 0, 128);
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct slab_cache *c = cache_new(m, 0, sizes[k]);
		char *p = take(c, 0);

		for (size_t i = 1; i < sizes[k]; i++)
			assert_int_equal(slab_free(c, 0, p + i), MM_E_INTERIOR);
		give(c, 0, p);
		cache_end(c);
	}
}

/* Every address in a slab but the starts of objects. */
static void the_header_and_the_rest_of_a_slab_are_refused(void **state)
{
	static const size_t sizes[] = { 16, 112, 1536, 2048 };
	struct memory *m = *state;

	memory_donate(m, 0, 128);
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct slab_cache *c = cache_new(m, 0, sizes[k]);
		char *p = take(c, 0);
		char *slab = (char *)((uintptr_t)p & c->mask);
		size_t end = c->first + c->per_slab * c->size;

		for (size_t i = 0; i < RW_PAGE_SIZE << c->order; i++) {
			if (i >= c->first && i < end &&
			    (i - c->first) % c->size == 0)
				continue;
			assert_int_equal(slab_free(c, 0, slab + i),
					 MM_E_INTERIOR);
		}
		give(c, 0, p);
		cache_end(c);
	}
}

static void memory_of_others_is_refused(void **state)
{
	struct memory *m = *state;
	struct slab_cache *c = cache_new(m, 0, 64);
	struct slab_cache *other = cache_new(m, 1, 64);
	int local;
	void *p, *block;

	memory_donate(m, 256, 64);
	p = take(other, 0);
	assert_int_equal(slab_free(c, 0, p), MM_E_FOREIGN);
	assert_int_equal(slab_free(c, 0, NULL), MM_E_FOREIGN);
	assert_int_equal(slab_free(c, 0, &local), MM_E_FOREIGN);
	assert_int_equal(slab_free(c, 0, c), MM_E_FOREIGN);
	for (size_t i = 0; i < sizeof(m->buddy); i += 64)
		assert_int_equal(slab_free(c, 0, (char *)&m->buddy + i),
				 MM_E_FOREIGN);
	assert_int_equal(slab_free(c, 0, (void *)-64), MM_E_FOREIGN);
	assert_int_equal(slab_free(c, 0, m->base), MM_E_FOREIGN);
	assert_int_equal(slab_free(c, 0, m->base + 256 * RW_PAGE_SIZE),
			 MM_E_FOREIGN);
	assert_int_equal(buddy_alloc(&m->buddy, 0, 0, &block), MM_OK);
	assert_int_equal(slab_free(c, 0, block), MM_E_FOREIGN);
	assert_int_equal(buddy_free(&m->buddy, (void *)((uintptr_t)p + 64)),
			 MM_E_INTERIOR);
	assert_int_equal(buddy_free(&m->buddy, block), MM_OK);
	give(other, 0, p);
	cache_end(other);
	cache_end(c);
}

static void the_fast_path_takes_no_lock(void **state)
{
	struct memory *m = *state;
	struct slab_cache *c = cache_new(m, 0, 128);
	void *p, *q;

	memory_donate(m, 0, 64);
	p = take(c, 2);
	spin_lock(&c->lock);
	spin_lock(&m->buddy.lock);
	q = take(c, 2);
	give(c, 2, p);
	give(c, 2, q);
	spin_unlock(&m->buddy.lock);
	spin_unlock(&c->lock);
	cache_end(c);
}

/* The model: what lies in each live object. */
#define LIVE 6000

struct object {
	unsigned char *p;
	size_t cache;
	unsigned char mark;
};

static struct object live[LIVE];
static const size_t model_sizes[] = { 16, 24, 64, 100, 336, 700, 1024, 2048 };

static void model_check(const struct object *o)
{
	size_t size = model_sizes[o->cache];

	assert_int_equal(o->p[0], o->mark);
	assert_memory_equal(o->p, o->p + 1, size - 1);
}

/* Every CPU takes and frees; what another CPU took, too. */
static void random_requests_agree_with_a_model(void **state)
{
	struct memory *m = *state;
	size_t count = 0, failed = 0;

	memory_donate(m, 11, 511);
	memory_donate(m, 1000, 130);
	for (size_t i = 0; i < 8; i++)
		cache_new(m, i, model_sizes[i]);
	for (size_t step = 0; step < 2000000; step++) {
		unsigned int cpu = draw(CPUS);
		struct object *o = &live[count];

		if (step % 50000 == 0)
			buddy_audit(&m->buddy);
		if (count && draw(100) >= (step / 100000 % 2 ? 45 : 55)) {
			o = &live[draw(count)];
			model_check(o);
			give(&caches[o->cache], cpu, o->p);
			*o = live[--count];
		} else if (count < LIVE) {
			void *p;

			o->cache = draw(8);
			o->mark = (unsigned char)step;
			if (slab_alloc(&caches[o->cache], cpu, &p)) {
				failed++;
				continue;
			}
			o->p = p;
			memset(p, o->mark, model_sizes[o->cache]);
			count++;
		}
	}
	assert_true(failed > 1000);
	while (count) {
		model_check(&live[--count]);
		give(&caches[live[count].cache], 0, live[count].p);
	}
	for (size_t i = 0; i < 8; i++)
		for (unsigned int cpu = 0; cpu < CPUS; cpu++)
			assert_int_equal(slab_drain(&caches[i], cpu), MM_OK);
	for (size_t i = 0; i < 8; i++)
		cache_end(&caches[i]);
}

/*
 * Whatever bit of a slab's header is flipped, no object is handed out twice and
 * no memory but that of the chunk is touched.
 */
static void no_flipped_bit_leads_to_an_object_with_two_holders(void **state)
{
	struct memory *m = *state;
	size_t noticed = 0;

	for (size_t round = 0; round < 4000; round++) {
		size_t count = 0;
		struct slab_cache *c;

		buddy_init(&m->buddy, m->buddy.offset);
		memory_donate(m, 0, 33);
		c = cache_new(m, 0, 512);
		for (size_t step = 0; step < 400; step++) {
			unsigned int cpu = draw(2);
			void *p;

			if (step == 200)
				m->base[(1 + draw(6)) * RW_PAGE_SIZE +
					draw(32 + 7)] ^= 1U << draw(8);
			if (count && draw(2)) {
				size_t i = draw(count--);

				assert_int_equal(*live[i].p, live[i].mark);
				noticed += !!slab_free(c, cpu, live[i].p);
				live[i] = live[count];
			} else if (!slab_alloc(c, cpu, &p)) {
				for (size_t i = 0; i < count; i++)
					assert_ptr_not_equal(live[i].p, p);
				live[count].p = p;
				live[count].mark = *live[count].p =
					(unsigned char)step;
				count++;
			} else {
				noticed++;
			}
		}
	}
	assert_true(noticed > 1000);
}

static void each_flipped_bit_of_an_object_s_state_is_noticed(void **state)
{
	struct memory *m = *state;
	struct slab_cache *c = cache_new(m, 0, 256);
	unsigned char *states;
	char *p, *q;
	size_t i;

	memory_donate(m, 0, 64);
	p = take(c, 0);
	q = take(c, 0);
	give(c, 0, q);
	states = (unsigned char *)((uintptr_t)p & c->mask) + 32;
	i = (p - (char *)states + 32 - c->first) / c->size;
	for (unsigned int bit = 0; bit < 8; bit++) {
		states[i] ^= 1U << bit;
		assert_int_equal(slab_free(c, 0, p), MM_E_DOUBLE_FREE);
		states[i] ^= 1U << bit;
	}
	i = (q - (char *)states + 32 - c->first) / c->size;
	for (unsigned int bit = 0; bit < 8; bit++) {
		void *r = m;

		states[i] ^= 1U << bit;
		assert_int_equal(slab_alloc(c, 0, &r), MM_E_CORRUPT);
		assert_ptr_equal(r, m);
		states[i] ^= 1U << bit;
	}
	states[i] ^= 1;
	assert_int_equal(slab_drain(c, 0), MM_E_CORRUPT);
}

/*
 * Two CPUs at once, each freeing part of what the other took, with so many
 * objects that the magazines run over and empty, while memory comes and goes.
 */
#define ROUNDS 1000
#define BURST  80

static struct worker {
	pthread_t thread;
	struct slab_cache *cache;
	unsigned int cpu;
	void *mail[BURST]; /* for this CPU to free, NULL: none */
	struct worker *other;
	bool failed;
} workers[2];

static int running;

static bool exchange(struct worker *w, void **objects)
{
	bool done = true;

	for (size_t i = 0; i < BURST; i++) {
		done = done && !slab_alloc(w->cache, w->cpu, &objects[i]);
		if (!done)
			return false;
		memset(objects[i], (int)w->cpu, 192);
	}
	for (size_t i = 0; i < BURST; i++) {
		unsigned char *p = objects[i];

		done = done && !memcmp(p, p + 1, 191);
		if (i % 4 == 0)
			p = __atomic_exchange_n(&w->other->mail[i], p,
						__ATOMIC_ACQ_REL);
		done = done && (!p || !slab_free(w->cache, w->cpu, p));
		p = __atomic_exchange_n(&w->mail[i], NULL, __ATOMIC_ACQ_REL);
		done = done && (!p || !slab_free(w->cache, w->cpu, p));
	}
	return done;
}

static void *work(void *argument)
{
	struct worker *w = argument;
	void *objects[BURST];

	for (size_t i = 0; i < ROUNDS && !w->failed; i++)
		w->failed = !exchange(w, objects);
	__atomic_fetch_sub(&running, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void cpus_at_once_share_a_cache_while_memory_comes_and_goes(void **state)
{
	struct memory *m = *state;
	struct slab_cache *c = cache_new(m, 0, 192);
	hpa_t start = hpa(MEMORY_START + 4096 * RW_PAGE_SIZE);
	bool present = false;

	memory_donate(m, 0, 1024);
	running = 2;
	for (unsigned int i = 0; i < 2; i++)
		workers[i] = (struct worker){ .cache = c,
					      .cpu = i,
					      .other = &workers[1 - i] };
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work,
						&workers[i]),
				 0);
	while (__atomic_load_n(&running, __ATOMIC_ACQUIRE)) {
		size_t pages;

		if (!present)
			memory_donate(m, 4096, 8);
		/* While a slab lies in it, it stays. */
		present = buddy_remove_chunk(&m->buddy, start, &pages);
		sched_yield();
	}
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(workers[i].thread, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		assert_false(workers[i].failed);
		for (size_t k = 0; k < BURST; k++)
			if (workers[i].mail[k])
				give(c, 3, workers[i].mail[k]);
	}
	cache_end(c);
}

static void *free_one(void *argument)
{
	struct worker *w = argument;

	w->failed = slab_free(w->cache, 0, w->mail[0]) != MM_OK;
	__atomic_store_n(&running, 0, __ATOMIC_RELEASE);
	return NULL;
}

static void an_object_is_found_while_the_index_is_built_anew(void **state)
{
	static const struct buddy_chunk *index[1 << BUDDY_INDEX_BITS];
	struct memory *m = *state;
	struct buddy *b = &m->buddy;
	struct worker w = { .cache = cache_new(m, 0, 80) };

	memory_donate(m, 0, 64);
	w.mail[0] = take(w.cache, 0);
	spin_lock(&b->lock);
	memcpy(index, b->index, sizeof(index));
	for (size_t i = 0; i < 1 << BUDDY_INDEX_BITS; i++)
		b->index[i] = &b->none;
	running = 1;
	assert_int_equal(pthread_create(&w.thread, NULL, free_one, &w), 0);
	while (__atomic_load_n(&running, __ATOMIC_ACQUIRE) &&
	       __atomic_load_n(&b->lock.next, __ATOMIC_ACQUIRE) !=
		       b->lock.serving + 2)
		sched_yield();
	memcpy(b->index, index, sizeof(index));
	spin_unlock(&b->lock);
	pthread_join(w.thread, NULL);
	assert_false(w.failed);
	cache_end(w.cache);
}

int main(void)
{
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, memory_setup, memory_teardown)
	const struct CMUnitTest tests[] = {
		TEST(objects_of_every_size_are_aligned_and_apart),
		TEST(a_cache_that_cannot_be_is_refused),
		TEST(a_cpu_that_is_not_there_is_refused),
		TEST(exhaustion_fails_the_request_and_loses_nothing),
		TEST(memory_goes_back_when_the_last_object_does),
		TEST(an_object_freed_twice_is_refused_wherever_it_lies),
		TEST(an_address_inside_an_object_is_refused),
		TEST(the_header_and_the_rest_of_a_slab_are_refused),
		TEST(memory_of_others_is_refused),
		TEST(the_fast_path_takes_no_lock),
		TEST(random_requests_agree_with_a_model),
		TEST(no_flipped_bit_leads_to_an_object_with_two_holders),
		TEST(each_flipped_bit_of_an_object_s_state_is_noticed),
		TEST(cpus_at_once_share_a_cache_while_memory_comes_and_goes),
		TEST(an_object_is_found_while_the_index_is_built_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
