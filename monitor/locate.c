/* SPDX-License-Identifier: MIT */
#include "monitor/locate.h"

#include <string.h>

#include "monitor/guest.h"
#include "monitor/vmcs.h"
#include "monitor/vmx.h"

/* CONFIG_PHYSICAL_ALIGN and KERNEL_IMAGE_SIZE of Linux on x86-64. */
#define SLIDE_STEP RW_SIZE_2M
#define SLIDE_END  RW_SIZE_1G

enum rw_error locate_slide(struct pcpu *cpu, const struct rw_policy_kernel *k,
			   uint64_t *ret_slide)
{
	uint64_t entry = rdmsr(IA32_LSTAR), cr3 = vmcs_read(GUEST_CR3);
	uint8_t id[RW_BUILD_ID_SIZE];

	for (uint64_t slide = 0; slide < SLIDE_END; slide += SLIDE_STEP) {
		if (entry < k->text_start + slide ||
		    entry >= k->text_end + slide)
			continue;
		if (!guest_read(cpu, cr3, gva(k->build_id_address + slide), id,
				sizeof(id)) &&
		    !memcmp(id, k->build_id, sizeof(id))) {
			*ret_slide = slide;
			return RW_OK;
		}
	}
	return RW_E_POLICY_KERNEL;
}

/* What of a leaf lies below the end: one at the top of all would wrap. */
static uint64_t part(uint64_t left, uint64_t at, uint64_t end)
{
	return left < end - at ? left : end - at;
}

enum rw_error locate_range(struct pcpu *cpu, uint64_t start, uint64_t end,
			   gpa_t *ret)
{
	uint64_t cr3 = vmcs_read(GUEST_CR3);
	struct guest_mapping m;
	gpa_t first = gpa(0);

	for (uint64_t at = start; at < end; at += part(m.left, at, end)) {
		if (guest_translate(cpu, cr3, gva(at), &m))
			return RW_E_POLICY_KERNEL_RANGE;
		if (at == start)
			first = m.gpa;
		if (m.gpa.v - first.v != at - start)
			return RW_E_POLICY_KERNEL_RANGE;
	}
	*ret = first;
	return RW_OK;
}

static bool executable(struct pcpu *cpu, uint64_t at, uint64_t *ret_left)
{
	struct guest_mapping m;

	if (guest_translate(cpu, vmcs_read(GUEST_CR3), gva(at), &m))
		return false;
	*ret_left = m.left;
	return m.executable;
}

enum rw_error locate_text(struct pcpu *cpu, uint64_t start, uint64_t end)
{
	uint64_t left;

	for (uint64_t at = start; at < end; at += part(left, at, end))
		if (!executable(cpu, at, &left))
			return RW_E_POLICY_KERNEL_RANGE;
	if (executable(cpu, start - 1, &left) || executable(cpu, end, &left))
		return RW_E_POLICY_KERNEL_RANGE;
	return RW_OK;
}
