/* SPDX-License-Identifier: MIT */
#include "tests/monitor/fake_guest.h"

#include <string.h>

#include "ept/ept.h"

#define EPT_ADDRESS	       0x000ffffffffff000ULL
#define EPT_LARGE	       BIT(7)
#define QUAL_RIGHTS	       3 /* shift: what the entries allow */
#define DIRECT_MAP	       0xffff888000000000ULL
#define EXITS_MAX	       16
#define EXCEPTION_INFO(vector) (INTR_VALID | INTR_TYPE_EXCEPTION | (vector))

uint32_t store_exits;

/* SDM Vol. 3 29.3.2: what a walk of the tables gives, 0 rights if nothing. */
static struct fake_translation walk(uint64_t eptp, uint64_t gpa)
{
	uint64_t entry = eptp, rights = EPT_RWX, inside;

	for (int level = 4; level >= 1; level--) {
		const uint64_t *table = physical(entry & EPT_ADDRESS);
		unsigned int shift = 12 + 9 * (unsigned int)(level - 1);

		assert_non_null(table);
		entry = table[gpa >> shift & 511];
		rights &= entry;
		if (!(entry & EPT_RWX))
			break;
		if (level > 1 && !(entry & EPT_LARGE))
			continue;
		inside = (1ULL << shift) - 1;
		return (struct fake_translation){
			.eptp = eptp,
			.page = gpa & RW_PAGE_MASK,
			.hpa = ((entry & EPT_ADDRESS & ~inside) |
				(gpa & inside)) &
			       RW_PAGE_MASK,
			.rights = rights,
		};
	}
	return (struct fake_translation){ 0 };
}

/* Old translations stay until INVEPT; a violation drops its own. */
static const struct fake_translation *translate(uint64_t gpa, uint64_t access)
{
	uint64_t eptp = *fake_vmcs(EPT_POINTER), page = gpa & RW_PAGE_MASK;
	struct fake_translation *t;

	for (uint32_t i = 0; i < FAKE_TLB; i++) {
		t = &fake->tlb[i];
		if (t->eptp != eptp || t->page != page)
			continue;
		if (!(access & ~t->rights))
			return t;
		t->eptp = 0;
		return NULL;
	}
	t = &fake->tlb[fake->tlb_next++ % FAKE_TLB];
	*t = walk(eptp, gpa);
	return access & ~t->rights ? NULL : t;
}

bool guest_can(uint64_t gpa, uint64_t access)
{
	return translate(gpa, access);
}

uint64_t fake_tree_rights(uint64_t gpa)
{
	return walk(*fake_vmcs(EPT_POINTER), gpa).rights;
}

struct vm_exit violation_exit(uint64_t gpa, uint64_t gva, uint64_t access)
{
	uint64_t rights = walk(*fake_vmcs(EPT_POINTER), gpa).rights;

	return (struct vm_exit){
		.reason = EXIT_EPT_VIOLATION,
		.qualification = access | rights << QUAL_RIGHTS |
				 EPT_QUAL_GLA_VALID | EPT_QUAL_TRANSLATED,
		.gpa = gpa,
		.gla = gva,
		.length = STORE_LENGTH,
	};
}

struct store store_at(uint64_t gpa, uint8_t byte, uint32_t size)
{
	struct store s = {
		.gva = { DIRECT_MAP + gpa },
		.gpa = { { gpa },
			 { (gpa & RW_PAGE_MASK) + RW_PAGE_SIZE },
			 { (gpa & RW_PAGE_MASK) + 2 * RW_PAGE_SIZE } },
		.size = size,
	};

	memset(s.bytes, byte, size);
	return s;
}

/* Where byte n of the store goes, and how many follow it on that page. */
static uint64_t piece(const struct store *s, uint32_t n, uint32_t *ret_size)
{
	uint64_t offset = (s->gpa[0].v & ~RW_PAGE_MASK) + n;
	uint64_t page = offset / RW_PAGE_SIZE, inside = offset % RW_PAGE_SIZE;
	uint64_t left = RW_PAGE_SIZE - inside;

	*ret_size = left < s->size - n ? (uint32_t)left : s->size - n;
	return (s->gpa[page].v & RW_PAGE_MASK) + inside;
}

static void exits(const struct vm_exit *x)
{
	assert_in_range(++store_exits, 1, EXITS_MAX);
	machine_exit(x);
}

/* All pages are writable: store. Else: the exit for the first that is not. */
static bool try_to_store(const struct store *s)
{
	const struct fake_translation *t;
	uint32_t size;

	for (uint32_t n = 0; n < s->size; n += size) {
		uint64_t gpa = piece(s, n, &size);
		struct vm_exit x = violation_exit(gpa, s->gva.v + n, EPT_W);

		if (!translate(gpa, EPT_W)) {
			exits(&x);
			return false;
		}
	}
	for (uint32_t n = 0; n < s->size; n += size) {
		uint64_t gpa = piece(s, n, &size);

		t = translate(gpa, EPT_W);
		memcpy((uint8_t *)physical(t->hpa) + gpa % RW_PAGE_SIZE,
		       s->bytes + n, size);
	}
	return true;
}

/* An exception of the instruction: to the monitor if it asked, else taken. */
static void raise(uint32_t vector, uint64_t qualification, uint32_t length)
{
	if (*fake_vmcs(EXCEPTION_BITMAP) & 1U << vector)
		exits(&(struct vm_exit){ .reason = EXIT_EXCEPTION_NMI,
					 .qualification = qualification,
					 .info = EXCEPTION_INFO(vector),
					 .length = length });
	else
		fake->delivered.info = EXCEPTION_INFO(vector);
}

/* A debug trap of the instruction before: SDM Vol. 3 27.7.3. */
static bool pending_trap(void)
{
	uint64_t *pending = fake_vmcs(GUEST_PENDING_DEBUG);

	if (!(*pending & PENDING_DEBUG_BS) ||
	    (*fake_vmcs(GUEST_INTERRUPTIBILITY) &
	     (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)))
		return false;
	*pending &= ~PENDING_DEBUG_BS;
	raise(VECTOR_DB, PENDING_DEBUG_BS, 0);
	return true;
}

/* Single step and monitor trap flag: SDM Vol. 3 26.5.2, 28.3.4. */
static void retire(uint64_t flags, bool trap_flag)
{
	uint64_t *pending = fake_vmcs(GUEST_PENDING_DEBUG);

	*fake_vmcs(GUEST_RIP) += STORE_LENGTH;
	*fake_vmcs(GUEST_INTERRUPTIBILITY) &=
		~(uint64_t)(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
	if (flags & RFLAGS_TF)
		*pending |= PENDING_DEBUG_BS;
	if (trap_flag && machine.trap_flag_fires)
		exits(&(struct vm_exit){ .reason = EXIT_MONITOR_TRAP_FLAG });
	if (!fake->delivered.info)
		pending_trap();
}

enum store_end guest_store(const struct store *s)
{
	store_exits = 0;
	fake->delivered = (struct fake_event){ 0 };
	for (;;) {
		uint64_t flags = *fake_vmcs(GUEST_RFLAGS);
		bool trap_flag = *fake_vmcs(PROCESSOR_CONTROLS) &
				 PROC_MONITOR_TRAP_FLAG;

		if (pending_trap()) {
			if (fake->delivered.info)
				return STORE_FAULT;
			continue;
		}
		if (s->exception &&
		    (store_exits || guest_can(s->gpa[0].v, EPT_W))) {
			raise(s->exception, 0, STORE_LENGTH);
			return STORE_FAULT;
		}
		if (!try_to_store(s)) {
			if (fake->delivered.info)
				return STORE_FAULT;
			continue;
		}
		if (s->meanwhile)
			s->meanwhile(s);
		if (*fake_vmcs(GUEST_ACTIVITY) != ACTIVITY_ACTIVE)
			return STORE_FAULT; /* reset meanwhile */
		retire(flags, trap_flag);
		break;
	}
	if (!fake->delivered.info)
		return STORE_DONE;
	return fake->delivered.info == EXCEPTION_INFO(VECTOR_DB) ? STORE_TRAP :
								   STORE_FAULT;
}

void guest_nmi(void)
{
	machine_exit(&(struct vm_exit){
		.reason = EXIT_EXCEPTION_NMI,
		.info = INTR_VALID | INTR_TYPE_NMI | VECTOR_NMI,
	});
}

void guest_iret(void)
{
	*fake_vmcs(GUEST_INTERRUPTIBILITY) &= ~(uint64_t)BLOCKING_BY_NMI;
	fake->delivered = (struct fake_event){ 0 };
	if (fake_nmi_window())
		machine_exit(&(struct vm_exit){ .reason = EXIT_NMI_WINDOW });
}
