/* SPDX-License-Identifier: MIT */
#include "monitor/vmx.h"

/* What Ringwall needs of IA32_VMX_EPT_VPID_CAP: SDM Vol. 3 A.10. */
#define NEED_EPT_VPID                                                        \
	(BIT(6) /* 4-level walk */ | BIT(14) /* WB tables */ |               \
	 BIT(16) /* 2 MiB */ | BIT(20) /* INVEPT */ | BIT(25) /* single */ | \
	 BIT(26) /* all */ | BIT(32) /* INVVPID */ | BIT(42) /* all */)

/* Low half: bits that must be 1; high half: bits that may be 1. */
static bool combine(uint64_t allowed, uint64_t needed, uint64_t optional,
		    uint32_t *ret)
{
	uint32_t must = (uint32_t)allowed, may = (uint32_t)(allowed >> 32);

	if (needed & ~may)
		return false;
	*ret = must | (uint32_t)needed | ((uint32_t)optional & may);
	return true;
}

enum rw_error vmx_compute_controls(const struct vmx_capabilities *c,
				   struct vmx_controls *ret)
{
	struct vmx_controls v;

	if (!(c->basic & VMX_BASIC_TRUE_CONTROLS) ||
	    PROC_NOW_AND_THEN & ~(c->proc >> 32) ||
	    (c->ept_vpid & NEED_EPT_VPID) != NEED_EPT_VPID)
		return RW_E_CAPABILITY;
	if (!combine(c->pin, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, 0, &v.pin) ||
	    !combine(c->proc, PROC_MSR_BITMAPS | PROC_SECONDARY, 0, &v.proc) ||
	    !combine(c->proc2,
		     PROC2_EPT | PROC2_VPID | PROC2_UNRESTRICTED_GUEST,
		     PROC2_RDTSCP | PROC2_INVPCID | PROC2_XSAVES |
			     PROC2_USER_WAIT_PAUSE,
		     &v.proc2) ||
	    !combine(c->exit,
		     EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_SAVE_PAT |
			     EXIT_LOAD_PAT | EXIT_SAVE_EFER | EXIT_LOAD_EFER,
		     0, &v.exit) ||
	    !combine(c->entry,
		     ENTRY_LOAD_DEBUG | ENTRY_IA32E_GUEST | ENTRY_LOAD_PAT |
			     ENTRY_LOAD_EFER,
		     0, &v.entry))
		return RW_E_CAPABILITY;
	*ret = v;
	return RW_OK;
}
