/* SPDX-License-Identifier: MIT */
#include "tests/monitor/fake_kernel.h"

#include <string.h>

#define PTE_ADDRESS 0x000ffffffffff000ULL

EVP_PKEY *kernel_key;

static uint64_t next_table = KERNEL_CR3;
static uint64_t fetched;

uint64_t kernel_table(void)
{
	uint64_t page = next_table;

	next_table += RW_PAGE_SIZE;
	assert_in_range(next_table, KERNEL_CR3, KERNEL_BUFFER);
	return page;
}

static uint64_t *slot(uint64_t cr3, uint64_t gva, int level)
{
	uint64_t table = cr3;

	for (int l = 4; l > level; l--) {
		uint64_t *e = (uint64_t *)physical(table) +
			      (gva >> (12 + 9 * (l - 1)) & 511);

		if (!(*e & PTE_P))
			*e = kernel_table() | PTE_P | PTE_W;
		if (*e & PTE_LARGE)
			return e;
		table = *e & PTE_ADDRESS;
	}
	return (uint64_t *)physical(table) +
	       (gva >> (12 + 9 * (level - 1)) & 511);
}

void kernel_map(uint64_t cr3, uint64_t gva, uint64_t gpa, int level,
		uint64_t flags)
{
	*slot(cr3, gva, level) = gpa | PTE_P | flags |
				 (level > 1 ? PTE_LARGE : 0);
}

uint64_t *kernel_entry(uint64_t cr3, uint64_t gva)
{
	uint64_t *e = slot(cr3, gva, 1);

	assert_true(*e & PTE_P);
	return e;
}

static void map_range(uint64_t cr3, uint64_t gva, uint64_t gpa, uint64_t size,
		      uint64_t flags)
{
	uint64_t n;

	for (uint64_t at = 0; at < size; at += n) {
		bool large = !((gva + at) % RW_SIZE_2M) &&
			     !((gpa + at) % RW_SIZE_2M) &&
			     size - at >= RW_SIZE_2M;

		n = large ? RW_SIZE_2M : RW_PAGE_SIZE;
		kernel_map(cr3, gva + at, gpa + at, large ? 2 : 1, flags);
	}
}

void kernel_map_image(uint64_t cr3, uint64_t slide, uint64_t phys)
{
	uint64_t rodata = KERNEL_RODATA - KERNEL_TEXT;

	map_range(cr3, KERNEL_TEXT + slide, phys, KERNEL_TEXT_SIZE, 0);
	/* The gap behind text is mapped too, and does not execute. */
	map_range(cr3, KERNEL_TEXT + slide + KERNEL_TEXT_SIZE,
		  phys + KERNEL_TEXT_SIZE, rodata - KERNEL_TEXT_SIZE,
		  PTE_W | PTE_NX);
	map_range(cr3, KERNEL_RODATA + slide, phys + rodata, KERNEL_RODATA_SIZE,
		  PTE_NX);
	map_range(cr3, KERNEL_RODATA + slide + KERNEL_RODATA_SIZE,
		  phys + rodata + KERNEL_RODATA_SIZE, KERNEL_DATA_SIZE,
		  PTE_W | PTE_NX);
}

struct sample_body kernel_policy(uint64_t serial)
{
	struct sample_body body = sample_body();

	body.header.serial = serial;
	body.header.flags = 0;
	body.kernel.text_start = KERNEL_TEXT;
	body.kernel.text_end = KERNEL_TEXT + KERNEL_TEXT_SIZE;
	body.kernel.rodata_start = KERNEL_RODATA;
	body.kernel.rodata_end = KERNEL_RODATA + KERNEL_RODATA_SIZE;
	body.kernel.build_id_address = KERNEL_BUILD_ID;
	body.text.flags = 0;
	body.rodata.action = RW_ACTION_FAULT;
	return body;
}

void kernel_start(uint64_t slide)
{
	struct sample_body body = kernel_policy(1);
	uint8_t *text = physical(TEXT_PHYS);
	uint64_t cr3 = kernel_table();
	struct rw_event e;

	kernel_map_image(cr3, slide, KERNEL_PHYS);
	for (uint32_t i = 0; i < KERNEL_TEXT_SIZE; i++)
		text[i] = (uint8_t)(i * 7 + (i >> 12));
	memcpy(physical(RODATA_PHYS + KERNEL_BUILD_ID - KERNEL_RODATA),
	       body.kernel.build_id, sizeof(body.kernel.build_id));
	for (uint32_t i = 0; i < machine.cpus; i++) {
		machine_use(i);
		fake_msr_set(IA32_LSTAR, KERNEL_LSTAR + slide);
		*fake_vmcs(GUEST_CR3) = cr3;
		*fake_vmcs(GUEST_RIP) = KERNEL_TEXT + slide + 0x2345;
	}
	machine_use(0);
	e = kernel_event();
	assert_int_equal(e.kind, RW_EVENT_ENABLED);
	assert_int_equal(e.detail[0], machine.cpus);
}

void kernel_boot(uint32_t cpus, uint64_t slide)
{
	struct policy_key public;

	kernel_key = sample_key();
	public = sample_public(kernel_key);
	machine_init();
	machine.cpus = cpus;
	memcpy(machine.boot.key[0], public.point, sizeof(public.point));
	machine_start();
	kernel_start(slide);
}

uint64_t kernel_load_file(const void *file, uint32_t size)
{
	uint64_t error = hypercall(RW_HC_POLICY_BEGIN, size, 0);
	uint32_t n;

	for (uint32_t at = 0; !error && at < size; at += n) {
		n = size - at < RW_PAGE_SIZE ? size - at : RW_PAGE_SIZE;
		memcpy(physical(KERNEL_BUFFER), (const uint8_t *)file + at, n);
		error = hypercall(RW_HC_POLICY_PUT, KERNEL_BUFFER, n);
	}
	return error ? error : hypercall(RW_HC_POLICY_COMMIT, 0, 0);
}

uint64_t kernel_load_some(const struct sample_body *body, uint32_t size)
{
	struct sample_file file = { .body = *body };

	sample_sign(&file, size, kernel_key);
	return kernel_load_file(&file, size + sizeof(file.trailer));
}

uint64_t kernel_load(const struct sample_body *body)
{
	return kernel_load_some(body, sizeof(*body));
}

void kernel_arm(const struct sample_body *body)
{
	assert_int_equal(kernel_load(body), RW_OK);
	for (uint32_t i = machine.cpus; i-- > 0;) {
		machine_use(i);
		assert_int_equal(hypercall(RW_HC_SYNC, 0, 0), RW_OK);
	}
	/* The first to come may have waited for the last. */
	assert_int_equal(hypercall(RW_HC_SYNC, 0, 0), RW_OK);
	assert_int_equal(kernel_status().state, RW_STATE_ARMED);
}

uint32_t kernel_events(struct rw_event *to, uint32_t max)
{
	uint32_t n = 0;

	for (;;) {
		assert_int_equal(
			hypercall(RW_HC_EVENTS, KERNEL_BUFFER, fetched), RW_OK);
		if (!fake->gpr.rdx)
			break;
		assert_in_range(n + fake->gpr.rdx, 1, max);
		memcpy(to + n, physical(KERNEL_BUFFER),
		       fake->gpr.rdx * sizeof(*to));
		n += (uint32_t)fake->gpr.rdx;
		fetched = to[n - 1].sequence;
	}
	return n;
}

struct rw_event kernel_event(void)
{
	struct rw_event e[4];

	assert_int_equal(kernel_events(e, 4), 1);
	return e[0];
}

struct rw_status kernel_status(void)
{
	struct rw_status s;

	assert_int_equal(hypercall(RW_HC_STATUS, KERNEL_BUFFER, 0), RW_OK);
	memcpy(&s, physical(KERNEL_BUFFER), sizeof(s));
	return s;
}
