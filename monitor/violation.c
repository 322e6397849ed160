/* SPDX-License-Identifier: MIT */
#include "monitor/violation.h"

#include <string.h>

#include "monitor/arm.h"
#include "monitor/event.h"
#include "monitor/exit.h"
#include "monitor/inject.h"
#include "monitor/log.h"
#include "monitor/vmcs.h"
#include "monitor/vmx.h"
#include "monitor/wall.h"

#define SEVERITY_CRITICAL 5

static void record(struct pcpu *cpu, const struct guest_write *w,
		   const struct rw_policy_rule *rule, enum rw_event_kind kind,
		   enum rw_event_verdict verdict)
{
	struct rw_event e = {
		.kind = kind,
		.verdict = verdict,
		.rule_id = rule->id,
		.rule_target = rule->target,
		.rule_mode = rule->mode,
		.severity = kind == RW_EVENT_PATCH ? 1 :
						     (uint8_t)rule->severity,
		.valid = RW_EVENT_HAS_GPA | RW_EVENT_HAS_BYTES |
			 (w->gva_valid ? RW_EVENT_HAS_GVA : 0),
		.gpa = w->gpa.v,
		.gva = w->gva.v,
		.size = w->size,
	};

	memcpy(e.before, w->before, sizeof(e.before));
	memcpy(e.attempted, w->attempted, sizeof(e.attempted));
	memcpy(e.rule_name, rule->name, sizeof(e.rule_name));
	event_record(cpu, &e);
}

bool violation_judge(struct pcpu *cpu, const struct guest_write *w,
		     uint32_t writes, enum rw_rule_action *ret_action)
{
	struct rw_policy_rule rule[STEP_PAGES] = { 0 };
	bool excepted[STEP_PAGES] = { false }, allowed = true;

	*ret_action = RW_ACTION_DISCARD;
	for (uint32_t i = 0; i < writes; i++) {
		bool known = arm_rule(w[i].gpa, &rule[i]);

		/* It may have gone with a new policy since the write trapped. */
		if (known)
			excepted[i] = arm_excepted(&rule[i], &w[i]);
		if (known ? excepted[i] || rule[i].mode == RW_MODE_AUDIT :
			    wall_rights(w[i].gpa) & EPT_W)
			continue;
		allowed = false;
		if (rule[i].action != RW_ACTION_DISCARD)
			*ret_action = RW_ACTION_FAULT;
	}
	for (uint32_t i = 0; i < writes; i++) {
		if (!rule[i].id)
			continue;
		if (!excepted[i])
			arm_hit(rule[i].id);
		record(cpu, &w[i], &rule[i],
		       excepted[i] ? RW_EVENT_PATCH : RW_EVENT_VIOLATION,
		       allowed ? RW_VERDICT_ALLOWED : RW_VERDICT_DENIED);
	}
	return allowed;
}

/* The monitor's own memory, or a page that a rule keeps from this access. */
void violation_refuse(struct pcpu *cpu, gpa_t at, uint64_t qualification)
{
	struct rw_policy_rule rule = { 0 };
	bool known = arm_rule(at, &rule);
	struct rw_event e = {
		.kind = known ? RW_EVENT_VIOLATION : RW_EVENT_SELF_ACCESS,
		.verdict = RW_VERDICT_DENIED,
		.rule_id = rule.id,
		.rule_target = rule.target,
		.rule_mode = rule.mode,
		.severity = known ? (uint8_t)rule.severity : SEVERITY_CRITICAL,
		.valid = RW_EVENT_HAS_GPA,
		.gpa = at.v,
		.detail = { qualification &
			    (EPT_QUAL_READ | EPT_QUAL_WRITE | EPT_QUAL_FETCH) },
	};

	if (qualification & EPT_QUAL_GLA_VALID) {
		e.valid |= RW_EVENT_HAS_GVA;
		e.gva = vmcs_read(GUEST_LINEAR_ADDRESS);
	}
	memcpy(e.rule_name, rule.name, sizeof(e.rule_name));
	if (known)
		arm_hit(rule.id);
	event_record(cpu, &e);
	inject_gp();
}

/* A write to a page that a rule protects, not made while delivering an event. */
static bool can_step(gpa_t at, uint64_t rights, uint64_t q)
{
	struct rw_policy_rule rule;

	return (q & EPT_QUAL_WRITE) && (rights & EPT_R) && wall_is_ram(at) &&
	       !(vmcs_read32(IDT_VECTORING_INFO) & INTR_VALID) &&
	       arm_rule(at, &rule);
}

void exit_ept_violation(struct pcpu *cpu)
{
	uint64_t q = vmcs_read(EXIT_QUALIFICATION);
	gpa_t at = gpa(vmcs_read64(GUEST_PHYSICAL_ADDRESS));
	uint64_t rights = wall_rights(at);
	bool linear = q & EPT_QUAL_GLA_VALID;
	enum rw_error error = RW_OK;

	if (q & EPT_QUAL_NMI_UNBLOCKING &&
	    !(vmcs_read32(IDT_VECTORING_INFO) & INTR_VALID))
		vmcs_write32(GUEST_INTERRUPTIBILITY,
			     vmcs_read32(GUEST_INTERRUPTIBILITY) |
				     (uint32_t)BLOCKING_BY_NMI);
	if (!rights) {
		/* Never mapped? Fails too if another CPU was faster. */
		error = wall_fill(at);
		rights = wall_rights(at);
	}
	if (!(~rights & q & EPT_RWX)) {
		inject_again();
		return;
	}
	if (error == RW_E_NO_MEMORY) {
		log_line("CPU %u: no memory to map %x", (uint64_t)cpu->index,
			 at.v);
		inject_gp();
		return;
	}
	if (can_step(at, rights, q) &&
	    step_begin(cpu, at,
		       gva(linear ? vmcs_read(GUEST_LINEAR_ADDRESS) : 0),
		       linear))
		return;
	violation_refuse(cpu, at, q);
}
