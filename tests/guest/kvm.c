/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own hypervisor on the same machine: runs a guest that executes
 * CPUID in a loop between two RDTSC, and the same with a NOP, and prints the
 * difference, lowest and median. In Bochs with one CPU that is how many
 * instructions KVM takes from exit to resume, VMRESUME included.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define MEMORY	0x10000
#define CODE	0x1000
#define RESULTS 0x2000
#define ROUNDS	255
#define ENTRIES 100

static const uint16_t cpuid_bytes = 0xa20f;
static const uint16_t nop_bytes = 0x9066;

/* Real mode; DI is where the results go, BP how many. */
static const uint8_t code[] = {
	0x0f, 0x31,	  /* again: rdtsc */
	0x66, 0x89, 0xc6, /* mov esi, eax */
	0x66, 0x31, 0xc0, /* xor eax, eax */
	0x66, 0x90,	  /* nop, or cpuid */
	0x0f, 0x31,	  /* rdtsc */
	0x66, 0x29, 0xf0, /* sub eax, esi */
	0x66, 0xab,	  /* stosd */
	0x4d,		  /* dec bp */
	0x75, 0xec,	  /* jnz again */
	0xf4,		  /* hlt */
};
#define MEASURED 8 /* where in it the instruction is */

static struct kvm_run *run;
static uint8_t *memory;

static int call(int fd, unsigned long request, void *argument, const char *what)
{
	int result = ioctl(fd, request, argument);

	if (result < 0) {
		perror(what);
		exit(1);
	}
	return result;
}

static void *map(int fd, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

/* With a CPUID table, as whoever uses KVM gives it one. */
static void show_cpuid(int kvm, int cpu)
{
	static union {
		struct kvm_cpuid2 head;
		uint8_t room[sizeof(struct kvm_cpuid2) +
			     ENTRIES * sizeof(struct kvm_cpuid_entry2)];
	} table = { .head.nent = ENTRIES };

	call(kvm, KVM_GET_SUPPORTED_CPUID, &table, "KVM_GET_SUPPORTED_CPUID");
	call(cpu, KVM_SET_CPUID2, &table, "KVM_SET_CPUID2");
}

static int create(void)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct kvm_sregs segments;
	int vm, cpu;

	vm = call(kvm, KVM_CREATE_VM, NULL, "KVM_CREATE_VM");
	memory = map(-1, MEMORY);
	region.userspace_addr = (uintptr_t)memory;
	call(vm, KVM_SET_USER_MEMORY_REGION, &region, "memory");
	cpu = call(vm, KVM_CREATE_VCPU, NULL, "KVM_CREATE_VCPU");
	run = map(cpu, (size_t)call(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "size"));
	show_cpuid(kvm, cpu);
	call(cpu, KVM_GET_SREGS, &segments, "KVM_GET_SREGS");
	segments.cs.base = segments.cs.selector = 0;
	call(cpu, KVM_SET_SREGS, &segments, "KVM_SET_SREGS");
	return cpu;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The results, sorted. */
static const uint32_t *measure(int cpu, uint16_t instruction)
{
	struct kvm_regs registers = {
		.rip = CODE,
		.rflags = 2,
		.rdi = RESULTS,
		.rbp = ROUNDS,
	};

	memcpy(memory + CODE, code, sizeof(code));
	memcpy(memory + CODE + MEASURED, &instruction, sizeof(instruction));
	call(cpu, KVM_SET_REGS, &registers, "KVM_SET_REGS");
	call(cpu, KVM_RUN, NULL, "KVM_RUN");
	if (run->exit_reason != KVM_EXIT_HLT) {
		fprintf(stderr, "the guest ended with %u\n", run->exit_reason);
		exit(1);
	}
	qsort(memory + RESULTS, ROUNDS, sizeof(uint32_t), compare);
	return (const uint32_t *)(memory + RESULTS);
}

int main(void)
{
	int cpu = create();
	uint32_t rest = measure(cpu, nop_bytes)[0];
	const uint32_t *sorted = measure(cpu, cpuid_bytes);

	printf("%u %u\n", sorted[0] - rest, sorted[ROUNDS / 2] - rest);
	return 0;
}
