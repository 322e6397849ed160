/* SPDX-License-Identifier: MIT */
/*
 * VM entry: the checks of SDM Vol. 3 27.2 and 27.3 for what Ringwall uses (no
 * SMM, no virtual-8086 mode, no MSR areas), and what an entry delivers.
 */
#include "tests/monitor/fake_cpu.h"
#include "tests/monitor/fake_memory.h"

#define HIGH_HALF(v)	     ((v) >> 32)
#define USABLE(rights)	     (!((rights)&BIT(16)))
#define TYPE(rights)	     ((rights)&0xf)
#define DPL(rights)	     ((rights) >> 5 & 3)
#define S		     BIT(4)
#define P		     BIT(7)
#define L		     BIT(13)
#define D		     BIT(14)
#define G		     BIT(15)
#define RFLAGS_VM	     BIT(17)
#define RFLAGS_RESERVED	     (~0x3f7fd7ULL)
#define DEBUGCTL_BTF	     BIT(1)
#define DEBUGCTL_KNOWN	     0xffc3ULL
#define EFER_KNOWN	     0xd01ULL
#define IN_HLT		     1 /* activity */
#define TYPE_OTHER	     7
#define BASIC_ANY_ERROR_CODE BIT(56)

/* First rule broken wins; the text is the rule. */
#define RULE(condition, text)        \
	do {                         \
		if (!(condition))    \
			return text; \
	} while (0)

/* What the CPU reads of the VMCS has to have been written. */
static uint64_t get(uint32_t field)
{
	const struct fake_field *f = fake_field(field);

	if (!f->written)
		fail_msg("VM entry with %s never written",
			 fake_vmcs_name(field));
	return f->value;
}

static bool canonical(uint64_t v)
{
	return (uint64_t)((int64_t)(v << 16) >> 16) == v;
}

static bool pat_valid(uint64_t v)
{
	for (; v; v >>= 8)
		if ((v & 0xff) > 7 || (v & 0xff) == 2 || (v & 0xff) == 3)
			return false;
	return true;
}

static uint64_t capability(uint32_t msr)
{
	return fake->model->vmx[msr - FAKE_VMX_MSR];
}

static bool allowed(uint64_t v, uint32_t msr)
{
	uint64_t c = capability(msr);

	return !((uint32_t)c & ~v) && !(v & ~(c >> 32));
}

static bool fixed(uint64_t v, uint32_t fixed0_msr, uint64_t but)
{
	return !(capability(fixed0_msr) & ~v & ~but) &&
	       !(v & ~capability(fixed0_msr + 1));
}

static const char *check_controls(void)
{
	/* Anything may stand there after VMCLEAR, and anything is allowed. */
	static const uint32_t free[] = { EXCEPTION_BITMAP, PAGE_FAULT_MASK,
					 PAGE_FAULT_MATCH, CR0_MASK,
					 CR4_MASK,	   CR0_READ_SHADOW,
					 CR4_READ_SHADOW };
	uint64_t pin = get(PIN_BASED_CONTROLS), proc = get(PROCESSOR_CONTROLS);
	uint64_t proc2 = get(SECONDARY_CONTROLS), eptp = get(EPT_POINTER);

	for (size_t i = 0; i < sizeof(free) / sizeof(free[0]); i++)
		(void)get(free[i]);
	RULE(allowed(pin, IA32_VMX_TRUE_PINBASED_CTLS), "pin controls");
	RULE(allowed(proc, IA32_VMX_TRUE_PROCBASED_CTLS), "proc controls");
	RULE(allowed(proc2, IA32_VMX_PROCBASED_CTLS2), "proc2 controls");
	RULE(allowed(get(EXIT_CONTROLS), IA32_VMX_TRUE_EXIT_CTLS),
	     "exit controls");
	RULE(allowed(get(ENTRY_CONTROLS), IA32_VMX_TRUE_ENTRY_CTLS),
	     "entry controls");
	RULE(get(CR3_TARGET_COUNT) <= 4, "CR3-target count");
	RULE((pin & PIN_NMI_EXITING) || !(pin & PIN_VIRTUAL_NMIS),
	     "virtual NMIs without NMI exiting");
	RULE((pin & PIN_VIRTUAL_NMIS) || !(proc & PROC_NMI_WINDOW),
	     "NMI window without virtual NMIs");
	RULE(get(MSR_BITMAP) % RW_PAGE_SIZE == 0 && physical(get(MSR_BITMAP)),
	     "MSR bitmap address");
	RULE(!(proc2 & PROC2_VPID) || get(VPID), "VPID 0");
	RULE((eptp & 0xfff) == 0x1e && !(eptp >> FAKE_WIDTH), "EPTP");
	if (proc2 & PROC2_XSAVES)
		(void)get(XSS_EXITING_BITMAP);
	RULE(!get(EXIT_MSR_STORE_COUNT) && !get(EXIT_MSR_LOAD_COUNT) &&
		     !get(ENTRY_MSR_LOAD_COUNT),
	     "MSR areas");
	return NULL;
}

/* SDM Vol. 3 27.2.1.3. */
static const char *check_injection(void)
{
	uint64_t info = get(ENTRY_INTERRUPTION_INFO);
	uint64_t type = info & INTR_TYPE_MASK, vector = info & INTR_VECTOR_MASK;
	bool exception = type == INTR_TYPE_EXCEPTION;
	bool coded = vector == VECTOR_DF || (vector >= 10 && vector <= 14) ||
		     vector == 17;
	bool wants = exception && coded && (get(GUEST_CR0) & CR0_PE);

	if (!(info & INTR_VALID))
		return NULL;
	RULE(!(info & 0x7ffff000), "event: reserved bits");
	RULE(type != 1 << 8, "event: type 1");
	RULE(type != INTR_TYPE_NMI || vector == VECTOR_NMI,
	     "event: NMI that is not vector 2");
	RULE(!exception || vector < 32, "event: exception above 31");
	RULE(type != TYPE_OTHER << 8 || !vector, "event: other");
	RULE(exception || !(info & INTR_ERROR_CODE),
	     "event: error code without exception");
	RULE((capability(IA32_VMX_BASIC) & BASIC_ANY_ERROR_CODE) ?
		     (get(GUEST_CR0) & CR0_PE) || !(info & INTR_ERROR_CODE) :
		     wants == !!(info & INTR_ERROR_CODE),
	     "event: error code or none for this vector and mode");
	RULE(!(info & INTR_ERROR_CODE) ||
		     !(get(ENTRY_EXCEPTION_ERROR_CODE) >> 16),
	     "event: error code above 16 bits");
	RULE(type < 4 << 8 || type > 6 << 8 ||
		     (get(ENTRY_INSTRUCTION_LENGTH) >= 1 &&
		      get(ENTRY_INSTRUCTION_LENGTH) <= 15),
	     "event: instruction length");
	return NULL;
}

/* SDM Vol. 3 27.2.2 to 27.2.4. */
static const char *check_host(void)
{
	static const uint32_t selectors[] = {
		HOST_ES_SELECTOR, HOST_CS_SELECTOR, HOST_SS_SELECTOR,
		HOST_DS_SELECTOR, HOST_FS_SELECTOR, HOST_GS_SELECTOR,
		HOST_TR_SELECTOR
	};
	static const uint32_t bases[] = {
		HOST_FS_BASE,	   HOST_GS_BASE,     HOST_TR_BASE,
		HOST_GDTR_BASE,	   HOST_IDTR_BASE,   HOST_RIP,
		HOST_SYSENTER_ESP, HOST_SYSENTER_EIP
	};
	uint64_t cr0 = get(HOST_CR0), cr4 = get(HOST_CR4);

	RULE(fixed(cr0, IA32_VMX_CR0_FIXED0, 0), "host CR0");
	RULE(fixed(cr4, IA32_VMX_CR4_FIXED0, 0), "host CR4");
	RULE(!(get(HOST_CR3) >> FAKE_WIDTH), "host CR3");
	RULE(!(cr4 & CR4_CET) || (cr0 & CR0_WP), "host CET without WP");
	RULE(get(EXIT_CONTROLS) & EXIT_HOST_64, "host not 64-bit");
	RULE(cr4 & CR4_PAE, "host without PAE");
	RULE((get(HOST_EFER) & (EFER_LMA | EFER_LME)) == (EFER_LMA | EFER_LME),
	     "host EFER");
	RULE(!(get(HOST_EFER) & ~EFER_KNOWN), "host EFER, reserved bits");
	RULE(pat_valid(get(HOST_PAT)), "host PAT");
	for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++)
		RULE(!(get(selectors[i]) & 7), "host selector");
	RULE(get(HOST_CS_SELECTOR) && get(HOST_TR_SELECTOR),
	     "host CS or TR null");
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		RULE(canonical(get(bases[i])), "host base");
	return NULL;
}

/* SDM Vol. 3 27.3.1.1. */
static const char *check_guest_control(void)
{
	uint64_t cr0 = get(GUEST_CR0), cr4 = get(GUEST_CR4);
	uint64_t efer = get(GUEST_EFER), entry = get(ENTRY_CONTROLS);
	bool long_mode = entry & ENTRY_IA32E_GUEST;
	bool free = get(SECONDARY_CONTROLS) & PROC2_UNRESTRICTED_GUEST;

	RULE(fixed(cr0, IA32_VMX_CR0_FIXED0, free ? CR0_PE | CR0_PG : 0),
	     "guest CR0");
	RULE(!(cr0 & CR0_PG) || (cr0 & CR0_PE), "guest PG without PE");
	RULE(fixed(cr4, IA32_VMX_CR4_FIXED0, 0), "guest CR4");
	RULE(!(cr4 & CR4_CET) || (cr0 & CR0_WP), "guest CET without WP");
	RULE(!(entry & ENTRY_LOAD_DEBUG) ||
		     !(get(GUEST_DEBUGCTL) & ~DEBUGCTL_KNOWN),
	     "guest DEBUGCTL");
	RULE(!(entry & ENTRY_LOAD_DEBUG) || !HIGH_HALF(get(GUEST_DR7)),
	     "guest DR7");
	RULE(!long_mode || ((cr0 & CR0_PG) && (cr4 & CR4_PAE)),
	     "IA-32e mode without paging");
	RULE(long_mode || !(cr4 & CR4_PCIDE), "PCIDE outside IA-32e mode");
	RULE(long_mode || !(cr0 & CR0_PG) || !(cr4 & CR4_PAE),
	     "PAE paging, whose PDPTEs nobody loads");
	RULE(!(get(GUEST_CR3) >> FAKE_WIDTH), "guest CR3");
	RULE(canonical(get(GUEST_SYSENTER_ESP)) &&
		     canonical(get(GUEST_SYSENTER_EIP)),
	     "guest SYSENTER");
	RULE(pat_valid(get(GUEST_PAT)), "guest PAT");
	RULE(!(efer & ~EFER_KNOWN), "guest EFER, reserved bits");
	RULE(!!(efer & EFER_LMA) == long_mode, "guest EFER.LMA");
	RULE(!(cr0 & CR0_PG) || !(efer & EFER_LMA) == !(efer & EFER_LME),
	     "guest EFER.LME");
	RULE(get(VMCS_LINK_POINTER) == ~0ULL, "link pointer");
	return NULL;
}

static bool limit_suits(uint32_t limit, uint64_t rights)
{
	if ((limit & 0xfff) != 0xfff && (rights & G))
		return false;
	return !(limit & 0xfff00000) || (rights & G);
}

/* ES SS DS FS GS if usable, and CS: SDM Vol. 3 27.3.1.2. */
static const char *check_segment(uint32_t i, uint64_t rights)
{
	uint64_t base = get(GUEST_ES_BASE + 2 * i);

	if (i == 4 || i == 5)
		RULE(canonical(base), "guest FS or GS base");
	else if (i == 1 || USABLE(rights))
		RULE(!HIGH_HALF(base), "guest segment base");
	if (!USABLE(rights))
		return NULL;
	RULE((rights & S) && (rights & P) && !(rights & 0xfffe0f00),
	     "guest segment rights");
	RULE(i == 1 || i == 2 || (TYPE(rights) & 1),
	     "guest data segment not accessed");
	RULE(limit_suits((uint32_t)get(GUEST_ES_LIMIT + 2 * i), rights),
	     "guest segment limit");
	return NULL;
}

static const char *check_guest_cs_ss(void)
{
	uint64_t cs = get(GUEST_CS_ACCESS_RIGHTS);
	uint64_t ss = get(GUEST_SS_ACCESS_RIGHTS);
	bool real = !(get(GUEST_CR0) & CR0_PE);

	RULE(USABLE(cs), "guest CS unusable");
	RULE(TYPE(cs) == 3 || (TYPE(cs) & 9) == 9, "guest CS type");
	RULE(TYPE(cs) != 3 || !DPL(cs), "guest CS type 3, DPL");
	RULE((TYPE(cs) != 9 && TYPE(cs) != 11) || DPL(cs) == DPL(ss),
	     "guest CS and SS differ in DPL");
	RULE(!(get(ENTRY_CONTROLS) & ENTRY_IA32E_GUEST) || !(cs & L) ||
		     !(cs & D),
	     "guest CS with L and D");
	RULE(!USABLE(ss) || TYPE(ss) == 3 || TYPE(ss) == 7, "guest SS type");
	RULE(!real || !DPL(ss), "guest SS.DPL in real mode");
	return NULL;
}

static const char *check_guest_segments(void)
{
	uint64_t ldtr = get(GUEST_LDTR_ACCESS_RIGHTS);
	uint64_t tr = get(GUEST_TR_ACCESS_RIGHTS);
	bool long_mode = get(ENTRY_CONTROLS) & ENTRY_IA32E_GUEST;

	for (uint32_t i = 0; i < 6; i++) {
		const char *fault =
			check_segment(i, get(GUEST_ES_ACCESS_RIGHTS + 2 * i));

		if (fault)
			return fault;
	}
	RULE(!USABLE(ldtr) || (TYPE(ldtr) == 2 && !(ldtr & S) && (ldtr & P)),
	     "guest LDTR");
	RULE(USABLE(tr) && (TYPE(tr) == 11 || (TYPE(tr) == 3 && !long_mode)),
	     "guest TR type");
	RULE(!(tr & S) && (tr & P) && !(tr & 0xffff0f00), "guest TR rights");
	RULE(!(get(GUEST_TR_SELECTOR) & 4), "guest TR in the LDT");
	RULE(limit_suits((uint32_t)get(GUEST_TR_LIMIT), tr), "guest TR limit");
	RULE(canonical(get(GUEST_TR_BASE)) && canonical(get(GUEST_LDTR_BASE)) &&
		     canonical(get(GUEST_GDTR_BASE)) &&
		     canonical(get(GUEST_IDTR_BASE)),
	     "guest table base");
	RULE(get(GUEST_GDTR_LIMIT) <= 0xffff && get(GUEST_IDTR_LIMIT) <= 0xffff,
	     "guest table limit");
	return check_guest_cs_ss();
}

static const char *check_guest_flags(void)
{
	uint64_t flags = get(GUEST_RFLAGS), info = get(ENTRY_INTERRUPTION_INFO);
	bool long_mode = get(ENTRY_CONTROLS) & ENTRY_IA32E_GUEST;
	bool long_code = long_mode && (get(GUEST_CS_ACCESS_RIGHTS) & L);
	bool external = (info & INTR_VALID) &&
			(info & INTR_TYPE_MASK) == INTR_TYPE_EXTERNAL;

	RULE(long_code || !HIGH_HALF(get(GUEST_RIP)), "guest RIP above 4 GiB");
	RULE(!long_code || canonical(get(GUEST_RIP)), "guest RIP");
	RULE(!(flags & RFLAGS_RESERVED) && (flags & RFLAGS_FIXED),
	     "guest RFLAGS");
	RULE(!(flags & RFLAGS_VM), "guest in virtual-8086 mode");
	RULE(!external || (flags & RFLAGS_IF), "interrupt with IF clear");
	return NULL;
}

/* Which events each activity state lets in: SDM Vol. 3 27.3.1.5. */
static bool activity_takes(uint64_t activity, uint64_t info)
{
	uint64_t type = info & INTR_TYPE_MASK, vector = info & INTR_VECTOR_MASK;

	if (!(info & INTR_VALID) || activity == ACTIVITY_ACTIVE)
		return true;
	if (activity == ACTIVITY_WAIT_SIPI)
		return false;
	if (type == INTR_TYPE_NMI ||
	    (type == INTR_TYPE_EXCEPTION && vector == VECTOR_MC))
		return true;
	return activity == IN_HLT &&
	       (type == INTR_TYPE_EXTERNAL ||
		(type == INTR_TYPE_EXCEPTION && vector == VECTOR_DB));
}

static const char *check_guest_other(void)
{
	uint64_t activity = get(GUEST_ACTIVITY);
	uint64_t blocking = get(GUEST_INTERRUPTIBILITY);
	uint64_t flags = get(GUEST_RFLAGS), pending = get(GUEST_PENDING_DEBUG);
	uint64_t info = get(ENTRY_INTERRUPTION_INFO);
	uint64_t type = info & INTR_TYPE_MASK;
	bool shadow = blocking & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
	bool steps = (flags & RFLAGS_TF) &&
		     !(get(GUEST_DEBUGCTL) & DEBUGCTL_BTF);

	RULE(activity <= ACTIVITY_WAIT_SIPI, "activity");
	RULE(activity != IN_HLT || !DPL(get(GUEST_SS_ACCESS_RIGHTS)),
	     "HLT outside kernel mode");
	RULE(activity == ACTIVITY_ACTIVE || !shadow,
	     "blocking by STI or MOV SS while not active");
	RULE(activity_takes(activity, info), "event in this activity state");
	RULE(!(blocking & ~0x1fULL) &&
		     (blocking & 3) != (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS),
	     "interruptibility");
	RULE(!(blocking & BLOCKING_BY_STI) || (flags & RFLAGS_IF),
	     "blocking by STI with IF clear");
	if (info & INTR_VALID) {
		RULE(type != INTR_TYPE_EXTERNAL || !shadow,
		     "interrupt under blocking");
		RULE(type != INTR_TYPE_NMI || !shadow, "NMI under blocking");
		RULE(type != INTR_TYPE_NMI || !(blocking & BLOCKING_BY_NMI),
		     "NMI under blocking by NMI");
	}
	RULE(!(pending & ~0x1500fULL), "pending debug exceptions");
	RULE((!shadow && activity != IN_HLT) ||
		     steps == !!(pending & PENDING_DEBUG_BS),
	     "pending single step");
	return NULL;
}

const char *fake_entry_fault(void)
{
	static const char *(*const checks[])(void) = {
		check_controls,	     check_injection,	   check_host,
		check_guest_control, check_guest_segments, check_guest_flags,
		check_guest_other
	};

	if (!fake->vmx_on || !fake->current_vmcs)
		return "no current VMCS";
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		const char *fault = checks[i]();

		if (fault)
			return fault;
	}
	return NULL;
}

void fake_enter(void)
{
	const char *fault = fake_entry_fault();
	uint64_t *info = fake_vmcs(ENTRY_INTERRUPTION_INFO);
	uint64_t *blocking = fake_vmcs(GUEST_INTERRUPTIBILITY);

	if (fault)
		fail_msg("VM entry fails: %s", fault);
	if (fake->fpu_saved)
		fail_msg("VM entry without the guest's FPU state");
	fake->delivered = (struct fake_event){ 0 };
	if (!(*info & INTR_VALID))
		return;
	fake->delivered = (struct fake_event){
		(uint32_t)*info,
		*info & INTR_ERROR_CODE ?
			(uint32_t)*fake_vmcs(ENTRY_EXCEPTION_ERROR_CODE) :
			0,
		(uint32_t)*fake_vmcs(ENTRY_INSTRUCTION_LENGTH)
	};
	if ((*info & INTR_TYPE_MASK) == INTR_TYPE_NMI)
		*blocking |= BLOCKING_BY_NMI;
	*blocking &= ~(uint64_t)(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
	*fake_vmcs(GUEST_ACTIVITY) = ACTIVITY_ACTIVE;
	*info &= ~INTR_VALID; /* VM exit does that */
}

bool fake_nmi_window(void)
{
	return (*fake_vmcs(PROCESSOR_CONTROLS) & PROC_NMI_WINDOW) &&
	       !(*fake_vmcs(GUEST_INTERRUPTIBILITY) &
		 (BLOCKING_BY_MOV_SS | BLOCKING_BY_NMI)) &&
	       *fake_vmcs(GUEST_ACTIVITY) != ACTIVITY_WAIT_SIPI;
}
