/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Hypercalls: VMCALL in kernel mode. RAX number, RDI RSI RDX arguments; RAX
 * returns an enum rw_error, RDX a value where the call has one; nothing else
 * changes. Buffers are guest-physical, page aligned, one page at most, in
 * ordinary memory that the guest itself may write (read). docs/abi.md has every
 * call with every error.
 */
#ifndef RINGWALL_HYPERCALL_H
#define RINGWALL_HYPERCALL_H

#include <ringwall/types.h>

/** Added to every number so that another hypervisor's calls do not match. */
#define RW_HC_BASE 0x52570000u

enum rw_hypercall {
	/** () -> RDX = RW_ABI_VERSION. The null call. */
	RW_HC_VERSION = RW_HC_BASE,
	/** (gpa) writes a struct rw_status. */
	RW_HC_STATUS,
	/** (gpa, cpu) writes a struct rw_cpu_status. */
	RW_HC_CPU_STATUS,
	/** () This CPU has discharged every invalidation owed so far. */
	RW_HC_SYNC,
	/** (size) Starts the upload of a policy file of that many bytes. */
	RW_HC_POLICY_BEGIN,
	/** (gpa, bytes) Appends bytes (at most a page) to the upload. */
	RW_HC_POLICY_PUT,
	/**
	 * () Verifies the upload, then protects. RDX = enum rw_state: ARMING
	 * until every CPU has made RW_HC_SYNC.
	 */
	RW_HC_POLICY_COMMIT,
	/**
	 * (gpa, after) Drops the records up to sequence after, then writes
	 * the next ones as an array of struct rw_event. RDX = how many.
	 */
	RW_HC_EVENTS,
	/** () Makes the monitor write a record of kind TEST. */
	RW_HC_TEST_ALERT,
	/** (gpa, offset) Copies a page of the dump. RDX = bytes. */
	RW_HC_DUMP,
	/** () This CPU leaves VMX. Refused while a policy locks. */
	RW_HC_DISABLE,
	/** (what) CONFIG_RINGWALL_TEST_HOOKS only: enum rw_test_hook. */
	RW_HC_TEST_HOOK,
	/**
	 * (gpa) Gives the monitor the RW_DONATE_SIZE bytes from gpa. RDX = 0:
	 * the guest has lost them, and the monitor does not use them until
	 * every CPU has made RW_HC_SYNC and this call is repeated. RDX = 1:
	 * in use.
	 */
	RW_HC_DONATE,
	/** (gpa) The guest gets back, cleared, what RW_HC_DONATE gave. */
	RW_HC_RECLAIM,
	/**
	 * (1) This CPU is about to be taken offline: its next halt that no
	 * interrupt can end is a wait for its start-up IPI. (0) It stays.
	 */
	RW_HC_OFFLINE,
	RW_HC_END
};

/** Memory is donated at run time in blocks of this size, aligned to it. */
#define RW_DONATE_SIZE (2ULL << 20)

enum rw_test_hook {
	RW_TEST_NULL_POINTER = 1, /* fault in VMX root */
	RW_TEST_CHECK = 2,	  /* a failing CHECK() */
	RW_TEST_STACK_SMASH = 3,  /* the stack protector */
	RW_TEST_EAT_MEMORY = 4,	  /* until the driver is asked for more */
	RW_TEST_FREE_MEMORY = 5,  /* what the former ate */
};

/**
 * The dump: struct rw_dump_header, then `panics` struct rw_panic, then
 * log_size bytes of log text.
 */
#define RW_DUMP_MAGIC 0x504d55445752ULL /* "RWDUMP" */
#define RW_BACKTRACE  24

struct rw_dump_header {
	uint64_t magic;
	uint32_t panics;
	uint32_t log_size;
	uint64_t image_base;  /* linear address the image was loaded at */
	uint8_t build_id[20]; /* of the image */
	uint32_t reserved;
};

struct rw_panic {
	uint32_t cpu;
	uint32_t vector; /* 0xffffffff: CHECK or stack protector */
	uint64_t error_code;
	uint64_t cr2, cr3;
	uint64_t rip, rsp, rflags;
	uint64_t gpr[15]; /* rax rbx rcx rdx rsi rdi rbp r8..r15 */
	uint64_t guest_rip, guest_rsp, guest_cr3;
	uint32_t exit_reason;
	uint32_t backtrace_count;
	uint64_t exit_qualification;
	uint64_t backtrace[RW_BACKTRACE];
	char message[96];
};

#endif
