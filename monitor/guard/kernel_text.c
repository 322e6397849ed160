/* SPDX-License-Identifier: MIT */
/* Kernel text, from _text to the end of its last page. */
#include "monitor/guard/guard.h"

#define USER_HALF(address) (!((address) >> 47))

static void extent(const struct rw_policy_kernel *kernel, uint64_t *ret_start,
		   uint64_t *ret_end)
{
	*ret_start = kernel->text_start;
	*ret_end = kernel->text_end;
}

/*
 * Linux's text_poke (arch/x86/kernel/alternative.c) writes from kernel text,
 * with interrupts off, through a temporary mapping in the lower half. Whoever
 * makes kernel code do that passes too: what is written is not judged yet, and
 * docs/threat-model.md says so.
 */
static bool excepted(const struct rw_policy_rule *rule,
		     const struct guest_write *w, uint64_t text_start,
		     uint64_t text_end)
{
	return (rule->flags & RW_RULE_TEXT_POKE) && w->cpl == 0 &&
	       !w->interrupts_on && w->gva_valid && USER_HALF(w->gva.v) &&
	       w->rip >= text_start && w->rip < text_end;
}

GUARD(kernel_text) = {
	.target = RW_TARGET_KERNEL_TEXT,
	.extent = extent,
	.excepted = excepted,
};
