/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * /dev/ringwall: root and CAP_SYS_ADMIN only. An ioctl returns 0, or -1 with
 * errno and, where the structure has an `error` field, the enum rw_error that
 * says more. read() gives whole struct rw_event records, each once per enable,
 * straight from the monitor's ring (the driver keeps none); poll() says when
 * there are some.
 */
#ifndef RINGWALL_IOCTL_H
#define RINGWALL_IOCTL_H

#ifdef __KERNEL__
#include <linux/ioctl.h>
#else
#include <sys/ioctl.h>
#endif
#include <ringwall/event.h>
#include <ringwall/hypercall.h>
#include <ringwall/status.h>

#define RW_DEVICE "/dev/ringwall"

/** Bytes of a monitor ELF file, with its debugging information or without. */
#define RW_IMAGE_MAX (1U << 20)

/** RW_IOC_LOAD: keep a monitor image and the keys it shall trust. */
struct rw_ioc_load {
	uint32_t abi_version; /* in: RW_ABI_VERSION */
	uint32_t error;	      /* out */
	uint64_t image;	      /* in: user address of the ELF file */
	uint64_t image_size;
	uint64_t keys; /* in: user address of key_count 65-byte points */
	uint32_t key_count;
	uint32_t reserved; /* 0 */
};

/** RW_IOC_ENABLE, RW_IOC_DISABLE, RW_IOC_UNLOAD, RW_IOC_TEST_ALERT. */
struct rw_ioc_call {
	uint32_t error; /* out */
	uint32_t cpu;	/* out: CPU at which it failed, or 0xffffffff;
		       * in for RW_IOC_TEST_HOOK */
	uint32_t value; /* in: enum rw_test_hook for RW_IOC_TEST_HOOK */
	uint32_t reserved;
};

/** RW_IOC_POLICY_LOAD: returns once the policy is in force on every CPU. */
struct rw_ioc_policy {
	uint64_t data; /* in: user address of the signed file */
	uint64_t size;
	uint32_t error; /* out */
	uint32_t state; /* out: enum rw_state */
};

/** RW_IOC_STATUS, RW_IOC_CPU_STATUS, RW_IOC_DUMP: read something out. */
struct rw_ioc_read {
	uint64_t buffer; /* in: user address */
	uint64_t size;	 /* in: its size; out: bytes written */
	uint32_t cpu;	 /* in: RW_IOC_CPU_STATUS */
	uint32_t error;	 /* out */
};

/** RW_IOC_DRIVER: what the driver knows, also without a monitor. */
struct rw_ioc_driver {
	uint32_t abi_version; /* out */
	uint32_t loaded;      /* out: 1 image kept */
	uint32_t enabled;     /* out: 1 CPUs inside */
	uint32_t cpus;	      /* out: present CPUs */
	uint64_t delivered;   /* out: sequence of the last record read() gave */
	uint64_t donated;     /* out: bytes */
};

/**
 * RW_IOC_MEMORY: give the monitor memory, or take back what was given at run
 * time. Giving is all or nothing; taking stops where the monitor keeps the rest.
 */
struct rw_ioc_memory {
	uint64_t bytes; /* in: a multiple of RW_DONATE_SIZE; out: how many */
	uint32_t take;	/* in: 0 give, 1 take */
	uint32_t error; /* out */
};

#define RW_IOC_LOAD	   _IOWR('R', 1, struct rw_ioc_load)
#define RW_IOC_UNLOAD	   _IOWR('R', 2, struct rw_ioc_call)
#define RW_IOC_ENABLE	   _IOWR('R', 3, struct rw_ioc_call)
#define RW_IOC_DISABLE	   _IOWR('R', 4, struct rw_ioc_call)
#define RW_IOC_POLICY_LOAD _IOWR('R', 5, struct rw_ioc_policy)
#define RW_IOC_STATUS	   _IOWR('R', 6, struct rw_ioc_read)
#define RW_IOC_CPU_STATUS  _IOWR('R', 7, struct rw_ioc_read)
#define RW_IOC_DUMP	   _IOWR('R', 8, struct rw_ioc_read)
#define RW_IOC_TEST_ALERT  _IOWR('R', 9, struct rw_ioc_call)
#define RW_IOC_DRIVER	   _IOR('R', 10, struct rw_ioc_driver)
#define RW_IOC_TEST_HOOK   _IOWR('R', 11, struct rw_ioc_call)
#define RW_IOC_MEMORY	   _IOWR('R', 12, struct rw_ioc_memory)

#endif
