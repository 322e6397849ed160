/* SPDX-License-Identifier: MIT */
#include "monitor/trace.h"

#include "monitor/log.h"
#include "monitor/vmcs.h"

struct trace_entry {
	uint64_t tsc; /* the guest's too: it has no offset */
	uint64_t rip;
	uint64_t qualification;
	uint64_t reason;
};

/* Written by its CPU only; another may read an entry half written. */
static struct trace_ring {
	uint64_t count;
	struct trace_entry entry[TRACE_KEPT];
} trace_rings[CONFIG_RINGWALL_MAX_CPUS];

void trace_record(const struct pcpu *cpu, uint32_t reason)
{
	struct trace_ring *ring = &trace_rings[cpu->index];

	ring->entry[ring->count % TRACE_KEPT] = (struct trace_entry){
		.tsc = rdtsc(),
		.rip = vmcs_read(GUEST_RIP),
		.qualification = vmcs_read(EXIT_QUALIFICATION),
		.reason = reason,
	};
	__atomic_store_n(&ring->count, ring->count + 1, __ATOMIC_RELEASE);
}

void trace_print(void)
{
	for (uint32_t cpu = 0; cpu < CONFIG_RINGWALL_MAX_CPUS; cpu++) {
		const struct trace_ring *ring = &trace_rings[cpu];
		uint64_t end = __atomic_load_n(&ring->count, __ATOMIC_ACQUIRE);
		uint64_t n = end > TRACE_SHOWN ? end - TRACE_SHOWN : 0;

		for (; n < end; n++) {
			const struct trace_entry *e =
				&ring->entry[n % TRACE_KEPT];

			log_line(
				"CPU %u: tsc %u exit %u rip %x qualification %x",
				(uint64_t)cpu, e->tsc, e->reason, e->rip,
				e->qualification);
		}
	}
}
