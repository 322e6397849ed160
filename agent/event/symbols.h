/* SPDX-License-Identifier: MIT */
/*
 * Names of kernel addresses, as the guest kernel itself reports them: a help for
 * the reader of an alert, never proof, and never needed. Whoever shows one says
 * that it is guest-reported.
 */
#ifndef AGENT_EVENT_SYMBOLS_H
#define AGENT_EVENT_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

#define SYMBOL_NAME_SIZE 128

struct symbol {
	char name[SYMBOL_NAME_SIZE]; /* cleaned; empty: only the module is known */
	char module[64];	     /* "vmlinux" for the kernel itself */
	uint64_t offset; /* from the symbol, or from the module's start */
};

/** Where the kernel tells its names. */
struct symbols_paths {
	const char *kallsyms;
	const char *modules;
	const char *iomem;
};

extern const struct symbols_paths symbols_of_kernel;

struct symbols;

/**
 * Reads the kernel's own symbols once. Never NULL but for lack of memory; empty
 * if the kernel hides them. The paths are kept: modules are looked up afresh.
 */
struct symbols *symbols_load(const struct symbols_paths *paths);

void symbols_free(struct symbols *symbols);

/** How many symbols of the kernel itself are known. */
uint64_t symbols_count(const struct symbols *symbols);

/** The symbol or module at a kernel address. symbols may be NULL: none. */
bool symbols_find(const struct symbols *symbols, uint64_t address,
		  struct symbol *ret_symbol);

/**
 * The linear address at which the kernel image itself sees a physical one, so
 * that a write through any alias gets the name of what it hits.
 */
bool symbols_of_physical(const struct symbols *symbols, uint64_t physical,
			 uint64_t *ret_address);

#endif
