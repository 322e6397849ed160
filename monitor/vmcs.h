/* SPDX-License-Identifier: MIT */
/*
 * The VMCS of this CPU. An access of the wrong width does not compile; a VMREAD
 * or VMWRITE that the CPU refuses stops the monitor, or rolls back the enable
 * that is under way; it never yields a made-up value.
 */
#ifndef MONITOR_VMCS_H
#define MONITOR_VMCS_H

#include "monitor/cpu.h"
#include "monitor/enter.h"
#include "monitor/panic.h"

enum vmcs_field {
#define VMCS_FIELD(width, name, encoding) name = (encoding),
#include "monitor/vmcs.def"
#undef VMCS_FIELD
};

/** Any width, for fields computed at run time (segment registers). */
static inline uint64_t vmcs_get(uint32_t field)
{
	uint64_t v;

	CHECK(!vmread(field, &v));
	return v;
}

static inline void vmcs_set(uint32_t field, uint64_t value)
{
	if (__builtin_expect(vmwrite(field, value), 0))
		enter_vmx_refused(RW_E_VMWRITE);
}

/* Bits 14:13 of an encoding are its width (SDM Vol. 3 table 25-21). */
#define VMCS_WIDTH_16  0
#define VMCS_WIDTH_64  1
#define VMCS_WIDTH_32  2
#define VMCS_WIDTH_NAT 3
#define VMCS_CHECKED(field, width) \
	((field) + 0 * sizeof(char[(((field) >> 13) & 3) == (width) ? 1 : -1]))

#define vmcs_read16(f) ((uint16_t)vmcs_get(VMCS_CHECKED(f, VMCS_WIDTH_16)))
#define vmcs_read32(f) ((uint32_t)vmcs_get(VMCS_CHECKED(f, VMCS_WIDTH_32)))
#define vmcs_read64(f) vmcs_get(VMCS_CHECKED(f, VMCS_WIDTH_64))
#define vmcs_read(f)   vmcs_get(VMCS_CHECKED(f, VMCS_WIDTH_NAT))
#define vmcs_write16(f, v) \
	vmcs_set(VMCS_CHECKED(f, VMCS_WIDTH_16), (uint16_t)(v))
#define vmcs_write32(f, v) \
	vmcs_set(VMCS_CHECKED(f, VMCS_WIDTH_32), (uint32_t)(v))
#define vmcs_write64(f, v) vmcs_set(VMCS_CHECKED(f, VMCS_WIDTH_64), v)
#define vmcs_write(f, v)   vmcs_set(VMCS_CHECKED(f, VMCS_WIDTH_NAT), v)

#endif
