/* SPDX-License-Identifier: MIT */
/*
 * The calls that ring 0 may make, in any order, from any CPU, with any
 * arguments: none stops the monitor, and no block of memory is the guest's and
 * the monitor's at once. The fake host of tests/monitor fails by itself when a
 * CPU still reaches what the monitor maps.
 *
 * The input is a list of records: CPU, call, what RDI is, which of those, then
 * 8 bytes for RSI, and for RDI where it is a bare number.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ringwall/hypercall.h>

#include "tests/monitor/fake_kernel.h"

#define CPUS   2
#define BLOCK  0x20000000ULL
#define BLOCKS 8
#define RECORD 12

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool given[BLOCKS];

static uint64_t block_at(unsigned int i)
{
	return BLOCK + i * RW_DONATE_SIZE;
}

static uint64_t choose(uint8_t kind, uint8_t which, uint64_t number)
{
	static const uint64_t places[] = {
		KERNEL_BUFFER, TEXT_PHYS,    RODATA_PHYS, MONITOR_START,
		DOORBELL,      MMIO,	     RAM_END,	  HIGH_RAM_START,
		LOW_RAM_START, HIGH_RAM_END, 0,		  4096,
	};

	switch (kind % 4) {
	case 0:
		return block_at(which % BLOCKS);
	case 1:
		return places[which % (sizeof(places) / sizeof(places[0]))];
	case 2:
		return which * RW_PAGE_SIZE;
	default:
		return number;
	}
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* What was given is nobody else's on any CPU. */
static void check_blocks(void)
{
	for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
		machine_use(cpu);
		for (unsigned int i = 0; i < BLOCKS; i++)
			require(!given[i] || !guest_can(block_at(i), EPT_R));
	}
}

static void call(uint64_t number, uint64_t rdi, uint64_t rsi)
{
	unsigned int i = (unsigned int)((rdi - BLOCK) / RW_DONATE_SIZE);
	uint64_t error = hypercall(number, rdi, rsi);

	require(error != RW_E_CPL);
	if (error || rdi < BLOCK || i >= BLOCKS || rdi % RW_DONATE_SIZE)
		return;
	if (number == RW_HC_DONATE && fake->gpr.rdx)
		given[i] = true;
	if (number == RW_HC_RECLAIM) {
		given[i] = false;
		require(guest_can(rdi, EPT_RWX));
	}
}

/* As at the start, as far as the monitor lets go. */
static void tidy_up(void)
{
	for (uint32_t cpu = CPUS; cpu--;) {
		machine_use(cpu);
		require(hypercall(RW_HC_SYNC, 0, 0) == RW_OK);
	}
	for (int round = 0; round < 2; round++)
		for (unsigned int i = 0; i < BLOCKS; i++)
			call(RW_HC_RECLAIM, block_at(i), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool booted;

	if (!booted)
		kernel_boot(CPUS, 0);
	booted = true;
	for (; size >= RECORD; size -= RECORD, data += RECORD) {
		uint64_t number = RW_HC_BASE + data[1] % 32, rsi;

		memcpy(&rsi, data + 4, sizeof(rsi));
		if (number == RW_HC_DISABLE || number == RW_HC_TEST_HOOK)
			continue;
		machine_use(data[0] % CPUS);
		(void)guest_can(block_at(data[3] % BLOCKS), EPT_W);
		call(number, choose(data[2], data[3], rsi),
		     data[2] & 0x80 ? rsi : data[3]);
		check_blocks();
	}
	tidy_up();
	return 0;
}
