/* SPDX-License-Identifier: MIT */
/*
 * Stands before monitor/cpu.h in the include path of the monitor as the tests
 * build it: the same declarations, carried out by fake_cpu.c.
 */
#ifndef MONITOR_CPU_H
#define MONITOR_CPU_H

#include <ringwall/addr.h>

/** As CPUID leaves the registers: upper halves zero. */
struct cpuid_regs {
	uint64_t eax, ebx, ecx, edx;
};

struct table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf);
uint64_t rdmsr(uint32_t msr);
void wrmsr(uint32_t msr, uint64_t value);
uint64_t rdtsc(void);

#define FAKE_REGISTERS(X) X(cr0) X(cr2) X(cr3) X(cr4) X(dr6) X(dr7)
#define FAKE_SELECTORS(X) X(es) X(cs) X(ss) X(ds) X(fs) X(gs) X(ldtr) X(tr)
#define X(name)                     \
	uint64_t read_##name(void); \
	void write_##name(uint64_t v);
FAKE_REGISTERS(X)
#undef X
#define X(name) uint16_t read_##name(void);
FAKE_SELECTORS(X)
#undef X

bool lar(uint16_t selector, uint64_t *ret);
bool lsl(uint16_t selector, uint64_t *ret);
struct table_register read_gdtr(void);
struct table_register read_idtr(void);
void write_idtr(struct table_register r);
void *fs_self(void);
uint64_t read_rflags(void);
void xsetbv(uint32_t index, uint64_t value);
void unblock_nmis(void);
void wbinvd(void);
void invlpg(const void *va);
void cpu_relax(void);
void outb(uint16_t port, uint8_t value);
void fxsave(void *area);
void fxrstor(const void *area);
void clts(void);
void __attribute__((noreturn)) int3(void);
void __attribute__((noreturn)) halt_forever(void);

int vmxon(uint64_t hpa);
void vmxoff(void);
int vmclear(uint64_t hpa);
int vmptrld(uint64_t hpa);
int vmread(uint64_t field, uint64_t *ret);
int vmwrite(uint64_t field, uint64_t value);
int invept(uint64_t type, uint64_t eptp);
int invvpid_all(void);

#endif
