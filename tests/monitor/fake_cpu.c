/* SPDX-License-Identifier: MIT */
#include "tests/monitor/fake_cpu.h"

#include <string.h>

#include "monitor/enter.h"
#include "monitor/panic.h"
#include "tests/monitor/fake_memory.h"

#define CPUID_VMX	      BIT(5)
#define CPUID_X2APIC	      BIT(21)
#define CPUID_XSAVE	      BIT(26)
#define CPUID_OSXSAVE	      BIT(27)
#define CPUID_OSPKE	      BIT(4)
#define VMCS_READ_ONLY(field) (((field) >> 10 & 3) == 1)
#define APIC_BASE_BSP	      BIT(8)
#define APIC_BASE_X2APIC      BIT(10)
#define APIC_BASE_ENABLED     BIT(11)
#define FXSAVE_SIZE	      512

struct fake_cpu fake_cpus[FAKE_CPUS];
struct fake_cpu *fake = &fake_cpus[0];
jmp_buf fake_out;
bool fake_may_end;

/* What entry.S and the linker script give the monitor. */
const uint8_t fault_stubs[32 * 16];
const uint8_t rw_build_id_note[36] = { [16] = 0xb1, [35] = 0xd2 };

void vm_exit(void)
{
	fail_msg("only the CPU goes there");
}

static void __attribute__((noreturn)) end(enum fake_end how, const char *text)
{
	if (!fake_may_end)
		fail_msg("%s", text);
	longjmp(fake_out, how);
}

/* Every instruction begins here: another event may come before it. */
static void begin(const char *name, uint64_t operand)
{
	void (*before)(const char *, uint64_t) = fake->before;

	fake->instructions++;
	if (!before)
		return;
	fake->before = NULL;
	before(name, operand);
	fake->before = before;
}

#define FAULT_UNLESS(condition, name, operand)                               \
	do {                                                                 \
		if (!(condition))                                            \
			fail_msg("%s %#llx faults in VMX root: %s", name,    \
				 (unsigned long long)(operand), #condition); \
	} while (0)

static const struct {
	const char *name;
	uint32_t encoding;
} fields[FAKE_FIELDS] = {
#define VMCS_FIELD(width, name, encoding) { #name, encoding },
#include "monitor/vmcs.def"
#undef VMCS_FIELD
};

static uint32_t place(uint64_t field)
{
	for (uint32_t i = 0; i < FAKE_FIELDS; i++)
		if (fields[i].encoding == field)
			return i;
	fail_msg("VMCS field %#llx is not in vmcs.def",
		 (unsigned long long)field);
	return 0;
}

struct fake_field *fake_field(uint32_t field)
{
	return &fake->vmcs[place(field)];
}

uint64_t *fake_vmcs(uint32_t field)
{
	return &fake_field(field)->value;
}

const char *fake_vmcs_name(uint32_t field)
{
	return fields[place(field)].name;
}

uint32_t fake_vmcs_width(uint32_t field)
{
	static const uint32_t width[] = { 16, 64, 32, 64 };

	return width[field >> 13 & 3];
}

uint64_t *fake_msr(uint32_t number)
{
	for (uint32_t i = 0; i < fake->msrs; i++)
		if (fake->msr[i].number == number)
			return &fake->msr[i].value;
	return NULL;
}

void fake_msr_set(uint32_t number, uint64_t value)
{
	uint64_t *msr = fake_msr(number);

	if (!msr) {
		assert_in_range(fake->msrs, 0, FAKE_MSRS - 1);
		fake->msr[fake->msrs].number = number;
		msr = &fake->msr[fake->msrs++].value;
	}
	*msr = value;
}

void fake_msr_remove(uint32_t number)
{
	for (uint32_t i = 0; i < fake->msrs; i++)
		if (fake->msr[i].number == number)
			fake->msr[i] = fake->msr[--fake->msrs];
}

struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
	const struct fake_model *m = fake->model;
	uint32_t osxsave = fake->cr4 & CR4_OSXSAVE ? CPUID_OSXSAVE : 0;
	uint32_t ospke = fake->cr4 & CR4_PKE ? CPUID_OSPKE : 0;

	begin("CPUID", leaf);
	switch (leaf) {
	case 1:
		return (struct cpuid_regs){
			m->signature, fake->index << 24 | 0x10800,
			(m->features & ~(uint32_t)CPUID_OSXSAVE) | osxsave,
			0xbfebfbff
		};
	case 7:
		if (subleaf)
			break;
		return (struct cpuid_regs){
			0, fake->features7_ebx,
			(m->features7 & ~(uint32_t)CPUID_OSPKE) | ospke, 0
		};
	case 0xd:
		return (struct cpuid_regs){ subleaf ? 0xf : m->xcr0, 0x240,
					    0xac0, 0 };
	case 0x80000008:
		return (struct cpuid_regs){ 0x3000 | FAKE_WIDTH, 0, 0, 0 };
	default:
		break;
	}
	return (struct cpuid_regs){ leaf, subleaf, 0xc, 0xd };
}

uint64_t rdmsr(uint32_t number)
{
	const uint64_t *msr = fake_msr(number);

	begin("RDMSR", number);
	FAULT_UNLESS(msr, "RDMSR", number);
	return *msr;
}

/* SDM Vol. 3 11.12.5, figure on the states of the local APIC. */
static bool apic_base_faults(uint64_t old, uint64_t new)
{
	uint64_t mode = APIC_BASE_ENABLED | APIC_BASE_X2APIC;
	uint64_t known = mode | APIC_BASE_BSP | ((1ULL << FAKE_WIDTH) - 0x1000);

	if (new & ~known)
		return true;
	if ((new &APIC_BASE_X2APIC) &&
	    (!(new &APIC_BASE_ENABLED) ||
	     !(fake->model->features & CPUID_X2APIC)))
		return true;
	if ((old & mode) == mode)
		return (new &mode) == APIC_BASE_ENABLED;
	return !(old & mode) && (new &mode) == mode;
}

void wrmsr(uint32_t number, uint64_t value)
{
	uint64_t *msr = fake_msr(number);

	begin("WRMSR", number);
	FAULT_UNLESS(msr, "WRMSR", number);
	FAULT_UNLESS(number - FAKE_VMX_MSR >= FAKE_VMX_MSRS, "WRMSR", number);
	FAULT_UNLESS(number != IA32_APIC_BASE || !apic_base_faults(*msr, value),
		     "WRMSR of IA32_APIC_BASE:", value);
	*msr = value;
}

uint64_t rdtsc(void)
{
	begin("RDTSC", 0);
	return fake->tsc;
}

#define X(name)                              \
	uint64_t read_##name(void)           \
	{                                    \
		begin("MOV from " #name, 0); \
		return fake->name;           \
	}
FAKE_REGISTERS(X)
#undef X

#define X(name)                    \
	uint16_t read_##name(void) \
	{                          \
		return fake->name; \
	}
FAKE_SELECTORS(X)
#undef X

static bool fixed_ok(uint64_t v, uint32_t fixed0_msr)
{
	const uint64_t *fixed = &fake->model->vmx[fixed0_msr - FAKE_VMX_MSR];

	return !(fixed[0] & ~v) && !(v & ~fixed[1]);
}

void write_cr0(uint64_t v)
{
	begin("MOV to cr0", v);
	FAULT_UNLESS(!(v >> 32) && (v & CR0_PG) && (v & CR0_PE), "CR0", v);
	FAULT_UNLESS(!fake->vmx_on || fixed_ok(v, IA32_VMX_CR0_FIXED0), "CR0",
		     v);
	fake->cr0 = v;
}

void write_cr2(uint64_t v)
{
	begin("MOV to cr2", v);
	fake->cr2 = v;
}

void write_cr3(uint64_t v)
{
	begin("MOV to cr3", v);
	fake->cr3 = v;
}

void write_cr4(uint64_t v)
{
	begin("MOV to cr4", v);
	FAULT_UNLESS(v & CR4_PAE, "CR4", v);
	FAULT_UNLESS(!fake->vmx_on || fixed_ok(v, IA32_VMX_CR4_FIXED0), "CR4",
		     v);
	fake->cr4 = v;
}

void write_dr6(uint64_t v)
{
	begin("MOV to dr6", v);
	FAULT_UNLESS(!(v >> 32), "DR6", v);
	fake->dr6 = v;
}

void write_dr7(uint64_t v)
{
	begin("MOV to dr7", v);
	FAULT_UNLESS(!(v >> 32), "DR7", v);
	fake->dr7 = v;
}

/* A descriptor of the GDT or LDT, or NULL; a null selector has none either. */
static const uint64_t *descriptor(uint16_t selector)
{
	const uint64_t *table = (const uint64_t *)fake->gdtr.base;
	uint64_t limit = fake->gdtr.limit;

	if (!(selector & ~3))
		return NULL;
	if (selector & 4) {
		const uint64_t *d = descriptor(fake->ldtr);

		if (!d)
			return NULL;
		limit = *d & 0xffff;
		table = (const uint64_t *)((*d >> 16 & 0xffffff) |
					   (*d >> 56 & 0xff) << 24 |
					   d[1] << 32);
	}
	return selector > limit ? NULL : &table[selector / 8];
}

void fake_ldt(const uint64_t *entries, uint16_t size)
{
	uint64_t *table = (uint64_t *)fake->gdtr.base, base = (uint64_t)entries;

	fake->ldtr = FAKE_LDTR;
	table[FAKE_LDTR / 8] = (size - 1ULL) | (base & 0xffffff) << 16 |
			       0x82ULL << 40 | (base >> 24 & 0xff) << 56;
	table[FAKE_LDTR / 8 + 1] = base >> 32;
}

bool lar(uint16_t selector, uint64_t *ret)
{
	const uint64_t *d = descriptor(selector);

	if (d)
		*ret = *d >> 32 & 0xf0ff00;
	return d;
}

bool lsl(uint16_t selector, uint64_t *ret)
{
	const uint64_t *d = descriptor(selector);

	if (!d)
		return false;
	*ret = (*d & 0xffff) | (*d >> 48 & 0xf) << 16;
	if (*d & BIT(55))
		*ret = *ret << 12 | 0xfff;
	return true;
}

struct table_register read_gdtr(void)
{
	return fake->gdtr;
}

struct table_register read_idtr(void)
{
	return fake->idtr;
}

void write_idtr(struct table_register r)
{
	begin("LIDT", r.base);
	fake->idtr = r;
}

void *fs_self(void)
{
	return *(void **)fake->fs_base;
}

uint64_t read_rflags(void)
{
	return RFLAGS_FIXED;
}

void xsetbv(uint32_t index, uint64_t value)
{
	uint64_t avx512 = value >> 5 & 7;

	begin("XSETBV", value);
	FAULT_UNLESS(fake->cr4 & CR4_OSXSAVE, "XSETBV", value);
	FAULT_UNLESS(!index && !(value & ~(uint64_t)fake->model->xcr0) &&
			     (value & 1) && (value & 6) != 4 &&
			     (!avx512 || (avx512 == 7 && (value & 4))),
		     "XSETBV", value);
	fake->xcr0 = value;
}

void unblock_nmis(void)
{
	begin("IRET", 0);
	fake->nmis_blocked = false;
}

void wbinvd(void)
{
	begin("WBINVD", 0);
	fake->wbinvd++;
}

void outb(uint16_t port, uint8_t value)
{
	(void)value;
	begin("OUT", port);
}

/* What is saved is the guest's; a second save would lose it. */
void fxsave(void *area)
{
	begin("FXSAVE", 0);
	FAULT_UNLESS(!((uintptr_t)area & 15) && !(fake->cr0 & CR0_TS) &&
			     !fake->fpu_saved,
		     "FXSAVE", (uintptr_t)area);
	fake->fpu_saved = area;
	memset(area, 0xf5, FXSAVE_SIZE);
}

void fxrstor(const void *area)
{
	begin("FXRSTOR", 0);
	FAULT_UNLESS(area == fake->fpu_saved, "FXRSTOR", (uintptr_t)area);
	for (size_t i = 0; i < FXSAVE_SIZE; i++)
		assert_int_equal(((const uint8_t *)area)[i], 0xf5);
	fake->fpu_saved = NULL;
}

void int3(void)
{
	assert_int_equal(fake->idtr.limit, 0);
	end(FAKE_RESET, "the CPU shuts down");
}

void halt_forever(void)
{
	const struct rw_panic *record;
	uint32_t n = panic_records(&record);

	end(FAKE_STOPPED, n ? record[n - 1].message : "halted, no record");
}

void leave_load(const struct leave *l)
{
	begin("leave_load", 0);
	assert_false(fake->vmx_on);
	fake->left = *l;
	fake->left_nmi = *l->nmi; /* behind LIDT, as entry.S reads it */
	fake->cr0 = l->cr0;
	fake->cr3 = l->cr3;
	fake->cr4 = l->cr4;
	fake->gdtr = l->gdtr;
	fake->idtr = l->idtr;
	end(FAKE_LEFT, "the CPU left VMX");
}

void fake_vmresume(void)
{
	begin("VMRESUME", 0);
	fake_enter();
}

void fake_assert_message(const char *text)
{
	const struct rw_panic *record;
	uint32_t n = panic_records(&record);

	assert_true(n);
	if (!strstr(record[n - 1].message, text))
		fail_msg("panic: %s", record[n - 1].message);
}

static bool refused(void)
{
	return fake->refuse && !--fake->refuse;
}

static uint32_t revision(void)
{
	return (uint32_t)fake->model->vmx[0] & 0x7fffffff;
}

int vmxon(uint64_t hpa)
{
	begin("VMXON", hpa);
	FAULT_UNLESS((fake->cr4 & CR4_VMXE) &&
			     fixed_ok(fake->cr0, IA32_VMX_CR0_FIXED0) &&
			     fixed_ok(fake->cr4, IA32_VMX_CR4_FIXED0) &&
			     (fake->model->feature_control & 5) == 5 &&
			     !fake->vmx_on,
		     "VMXON", hpa);
	if (refused())
		return 1;
	if (fake->refuse_vmxon || hpa % RW_PAGE_SIZE ||
	    *(uint32_t *)physical(hpa) != revision())
		return 1;
	fake->vmx_on = true;
	fake->vmxon_region = hpa;
	return 0;
}

void vmxoff(void)
{
	begin("VMXOFF", 0);
	FAULT_UNLESS(fake->vmx_on, "VMXOFF", 0);
	/* The CPU may still write it, when the memory is another's. */
	if (fake->current_vmcs)
		fail_msg("VMXOFF with an active VMCS");
	fake->vmx_on = false;
	fake->current_vmcs = 0;
}

/* The data of a VMCS lives here, so a CPU can have but one. */
int vmclear(uint64_t hpa)
{
	begin("VMCLEAR", hpa);
	FAULT_UNLESS(fake->vmx_on, "VMCLEAR", hpa);
	if (refused())
		return 1;
	if (hpa % RW_PAGE_SIZE || hpa == fake->vmxon_region)
		return 1;
	if (hpa == fake->current_vmcs)
		fake->current_vmcs = 0;
	for (uint32_t i = 0; i < FAKE_FIELDS; i++)
		fake->vmcs[i].written = false;
	return 0;
}

int vmptrld(uint64_t hpa)
{
	begin("VMPTRLD", hpa);
	FAULT_UNLESS(fake->vmx_on, "VMPTRLD", hpa);
	if (refused())
		return 1;
	if (hpa % RW_PAGE_SIZE || hpa == fake->vmxon_region ||
	    *(uint32_t *)physical(hpa) != revision())
		return 1;
	fake->current_vmcs = hpa;
	return 0;
}

int vmread(uint64_t field, uint64_t *ret)
{
	begin("VMREAD", field);
	FAULT_UNLESS(fake->vmx_on, "VMREAD", field);
	if (!fake->current_vmcs)
		return 1;
	*ret = fake->vmcs[place(field)].value;
	return 0;
}

int vmwrite(uint64_t field, uint64_t value)
{
	uint32_t i = place(field), width = fake_vmcs_width((uint32_t)field);

	begin("VMWRITE", field);
	FAULT_UNLESS(fake->vmx_on, "VMWRITE", field);
	if (refused())
		return 1;
	if (!fake->current_vmcs)
		return 1;
	if (VMCS_READ_ONLY(field))
		fail_msg("VMWRITE of %s, which is read-only", fields[i].name);
	if (width < 64 && value >> width)
		fail_msg("VMWRITE of %#llx to %s, which has %u bits",
			 (unsigned long long)value, fields[i].name, width);
	fake->vmcs[i].value = value;
	fake->vmcs[i].written = true;
	return 0;
}

int invept(uint64_t type, uint64_t eptp)
{
	begin("INVEPT", type);
	FAULT_UNLESS(fake->vmx_on, "INVEPT", type);
	if (refused())
		return 1;
	if (type != 1 && type != 2)
		return 1;
	for (uint32_t i = 0; i < FAKE_TLB; i++)
		if (type == 2 || fake->tlb[i].eptp == eptp)
			fake->tlb[i].eptp = 0;
	fake->invept_single += type == 1;
	fake->invept_all += type == 2;
	return 0;
}

int invvpid_all(void)
{
	begin("INVVPID", 2);
	FAULT_UNLESS(fake->vmx_on, "INVVPID", 2);
	if (refused())
		return 1;
	fake->invvpid++;
	return 0;
}

/* As Linux sets them up in head_64.S and common.c; TSS behind the segments. */
static uint64_t gdt[FAKE_CPUS][16];

static void init_msrs(const struct fake_model *model)
{
	static const struct fake_msr msrs[] = {
		{ IA32_APIC_BASE, 0xfee00900 },
		{ 0x10, 0 },
		{ 0x79, 0 },
		{ 0x9b, 0 },
		{ IA32_MTRRCAP, 0x508 },
		{ IA32_SYSENTER_CS, 0x10 },
		{ IA32_SYSENTER_ESP, 0xfffffe0000002000 },
		{ IA32_SYSENTER_EIP, 0xffffffff81a01a00 },
		{ IA32_MISC_ENABLE, 0x851889 },
		{ IA32_DEBUGCTL, 0 },
		{ IA32_PAT, 0x407050600070106 },
		{ 0x2ff, 0xc06 },
		{ IA32_EFER, 0xd01 },
		{ IA32_LSTAR, 0xffffffff81001000 },
		{ IA32_FS_BASE, 0x7f0000001740 },
		{ IA32_GS_BASE, 0xffff88803ec00000 },
		/* Write-back below 2 GiB and from 4 GiB on. */
		{ 0x200, 0x80000000 },
		{ 0x201, 0xff80000800 },
	};

	fake->msrs = 0;
	for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		fake_msr_set(msrs[i].number, msrs[i].value);
	for (uint32_t i = 0x202; i < 0x210; i++)
		fake_msr_set(i, 0);
	fake_msr_set(0x250, 0x0606060606060606);
	fake_msr_set(0x258, 0x0606060606060606);
	fake_msr_set(0x259, 0);
	for (uint32_t i = 0x268; i < 0x270; i++)
		fake_msr_set(i, 0x0505050505050505);
	fake_msr_set(IA32_FEATURE_CONTROL, model->feature_control);
	for (uint32_t i = 0; i < FAKE_VMX_MSRS; i++)
		if (model->vmx[i] != FAKE_NO_MSR)
			fake_msr_set(FAKE_VMX_MSR + i, model->vmx[i]);
}

void fake_cpu_init(struct fake_cpu *cpu, uint32_t index,
		   const struct fake_model *model)
{
	uint64_t tss = 0xfffffe0000003000;

	gdt[index][2] = 0x00af9b000000ffff; /* __KERNEL_CS */
	gdt[index][3] = 0x00cf93000000ffff; /* __KERNEL_DS */
	gdt[index][8] = 0x4087 | (tss & 0xffffff) << 16 | 0x8bULL << 40 |
			(tss >> 24 & 0xff) << 56;
	gdt[index][9] = tss >> 32;
	*cpu = (struct fake_cpu){
		.model = model,
		.index = index,
		.features7_ebx = 0x219c91a9,
		.cr0 = 0x80050033,
		.cr3 = 0x2000000,
		.cr4 = 0x3506f0 & model->vmx[9],
		.dr6 = DR6_INIT,
		.dr7 = 0x400,
		.xcr0 = 7,
		.tsc = 1000000,
		.cs = 0x10,
		.ss = 0x18,
		.tr = 0x40,
		.gdtr = { sizeof(gdt[index]) - 1, (uint64_t)gdt[index] },
		.idtr = { 0xfff, 0xfffffe0000000000 },
	};
	fake = cpu;
	init_msrs(model);
}
