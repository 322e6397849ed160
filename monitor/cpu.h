/* SPDX-License-Identifier: MIT */
/*
 * The seam to the processor: every privileged instruction of the monitor's C
 * code is here, one function each. It decides nothing.
 */
#ifndef MONITOR_CPU_H
#define MONITOR_CPU_H

#include <ringwall/addr.h>

/** As CPUID leaves the registers: upper halves zero. */
struct cpuid_regs {
	uint64_t eax, ebx, ecx, edx;
};

/** Operand of LGDT, LIDT, SGDT, SIDT. */
struct table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value),
			 "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

#define DEFINE_REGISTER(name)                                             \
	static inline uint64_t read_##name(void)                          \
	{                                                                 \
		uint64_t v;                                               \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(v));        \
		return v;                                                 \
	}                                                                 \
	static inline void write_##name(uint64_t v)                       \
	{                                                                 \
		__asm__ volatile("mov %0, %%" #name ::"r"(v) : "memory"); \
	}
DEFINE_REGISTER(cr0)
DEFINE_REGISTER(cr2)
DEFINE_REGISTER(cr3)
DEFINE_REGISTER(cr4)
DEFINE_REGISTER(dr6)
DEFINE_REGISTER(dr7)
#undef DEFINE_REGISTER

#define DEFINE_SELECTOR(name)                                      \
	static inline uint16_t read_##name(void)                   \
	{                                                          \
		uint16_t v;                                        \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(v)); \
		return v;                                          \
	}
DEFINE_SELECTOR(es)
DEFINE_SELECTOR(cs)
DEFINE_SELECTOR(ss)
DEFINE_SELECTOR(ds)
DEFINE_SELECTOR(fs)
DEFINE_SELECTOR(gs)
#undef DEFINE_SELECTOR

static inline uint16_t read_tr(void)
{
	uint16_t v;

	__asm__ volatile("str %0" : "=r"(v));
	return v;
}

static inline uint16_t read_ldtr(void)
{
	uint16_t v;

	__asm__ volatile("sldt %0" : "=r"(v));
	return v;
}

/** Access rights by LAR, as it puts them: bits 23:8. False: no descriptor. */
static inline bool lar(uint16_t selector, uint64_t *ret)
{
	bool valid;

	__asm__("lar %2, %1"
		: "=@ccz"(valid), "=r"(*ret)
		: "r"((uint64_t)selector));
	return valid;
}

static inline bool lsl(uint16_t selector, uint64_t *ret)
{
	bool valid;

	__asm__("lsl %2, %1"
		: "=@ccz"(valid), "=r"(*ret)
		: "r"((uint64_t)selector));
	return valid;
}

static inline struct table_register read_gdtr(void)
{
	struct table_register r;

	__asm__ volatile("sgdt %0" : "=m"(r));
	return r;
}

static inline struct table_register read_idtr(void)
{
	struct table_register r;

	__asm__ volatile("sidt %0" : "=m"(r));
	return r;
}

static inline void write_idtr(struct table_register r)
{
	__asm__ volatile("lidt %0" ::"m"(r));
}

/** The word at FS:0, where a CPU's block points to itself. */
static inline void *fs_self(void)
{
	void *v;

	__asm__("mov %%fs:0, %0" : "=r"(v));
	return v;
}

static inline uint64_t read_rflags(void)
{
	uint64_t v;

	__asm__ volatile("pushfq; pop %0" : "=r"(v));
	return v;
}

static inline void xsetbv(uint32_t index, uint64_t value)
{
	__asm__ volatile("xsetbv" ::"c"(index), "a"((uint32_t)value),
			 "d"((uint32_t)(value >> 32)));
}

/** IRET to the next instruction: NMIs, blocked since one exited, come again. */
static inline void unblock_nmis(void)
{
	/* Below the red zone. */
	__asm__ volatile("mov %%rsp, %%rax\n\t"
			 "sub $128, %%rsp\n\t"
			 "mov %%ss, %%ecx\n\t"
			 "push %%rcx\n\t"
			 "push %%rax\n\t"
			 "pushfq\n\t"
			 "mov %%cs, %%ecx\n\t"
			 "push %%rcx\n\t"
			 "lea 1f(%%rip), %%rcx\n\t"
			 "push %%rcx\n\t"
			 "iretq\n"
			 "1:" ::
				 : "rax", "rcx", "cc", "memory");
}

static inline void wbinvd(void)
{
	__asm__ volatile("wbinvd" ::: "memory");
}

static inline void invlpg(const void *va)
{
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline void fxsave(void *area)
{
	__asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

static inline void fxrstor(const void *area)
{
	__asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

static inline void clts(void)
{
	__asm__ volatile("clts");
}

/** With an empty IDT: shuts the CPU down, which resets the host. */
static inline void __attribute__((noreturn)) int3(void)
{
	__asm__ volatile("int3");
	__builtin_unreachable();
}

/** Stops this CPU for good; an NMI or an SMI only delays it. */
static inline void __attribute__((noreturn)) halt_forever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* VMX instructions: 0 on success, else the CPU refused (SDM 30.2). */

static inline int vmxon(uint64_t hpa)
{
	bool failed;

	__asm__ volatile("vmxon %1" : "=@ccna"(failed) : "m"(hpa) : "memory");
	return failed;
}

static inline void vmxoff(void)
{
	__asm__ volatile("vmxoff" ::: "cc", "memory");
}

static inline int vmclear(uint64_t hpa)
{
	bool failed;

	__asm__ volatile("vmclear %1" : "=@ccna"(failed) : "m"(hpa) : "memory");
	return failed;
}

static inline int vmptrld(uint64_t hpa)
{
	bool failed;

	__asm__ volatile("vmptrld %1" : "=@ccna"(failed) : "m"(hpa) : "memory");
	return failed;
}

static inline int vmread(uint64_t field, uint64_t *ret)
{
	bool failed;

	__asm__ volatile("vmread %2, %1"
			 : "=@ccna"(failed), "=r"(*ret)
			 : "r"(field));
	return failed;
}

static inline int vmwrite(uint64_t field, uint64_t value)
{
	bool failed;

	__asm__ volatile("vmwrite %2, %1"
			 : "=@ccna"(failed)
			 : "r"(field), "r"(value)
			 : "memory");
	return failed;
}

/** type 1: one EPTP, 2: all. */
static inline int invept(uint64_t type, uint64_t eptp)
{
	struct {
		uint64_t eptp, zero;
	} d = { eptp, 0 };
	bool failed;

	__asm__ volatile("invept %1, %2"
			 : "=@ccna"(failed)
			 : "m"(d), "r"(type)
			 : "memory");
	return failed;
}

/** All contexts (type 2). */
static inline int invvpid_all(void)
{
	struct {
		uint64_t vpid, address;
	} d = { 0, 0 };
	bool failed;

	__asm__ volatile("invvpid %1, %2"
			 : "=@ccna"(failed)
			 : "m"(d), "r"(2ULL)
			 : "memory");
	return failed;
}

#endif
