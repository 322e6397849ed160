/* SPDX-License-Identifier: MIT */
/*
 * Extended page tables: one four-level tree that translates guest-physical
 * addresses, and updates to it in two steps. Owns the tables it was given
 * pages for and nothing else; must never execute a privileged instruction,
 * print, keep a global or round a request.
 *
 * An update is private until it is committed: ept_begin() copies the root,
 * every change copies the tables on its path before it touches them, splits
 * leaves where a boundary falls inside, and joins 512 entries back into one
 * leaf as soon as they could be one. ept_commit() then publishes with one
 * 64-bit store per 512 GiB of address space that differs (so normally one),
 * and hands over the tables that were replaced. A CPU sees all of an update
 * or nothing of it, never an empty or half-filled table.
 *
 *	struct ept_update update;
 *	enum ept_error error = ept_begin(&update, ept);
 *
 *	if (!error)
 *		error = ept_protect(&update, text, size, EPT_R | EPT_X);
 *	if (!error)
 *		error = ept_take(&update, donated, RW_PAGE_SIZE);
 *	if (error) {
 *		ept_cancel(&update);
 *		return error;
 *	}
 *	struct ept_obligation owed = ept_commit(&update);
 *	uint64_t generation = ept_discharge(sync, &owed);	(ept/sync.h)
 *
 * Each 4 KiB of guest-physical address space is in one of three states:
 *	empty	never mapped (above the mapped memory); ept_map() may fill it
 *	mapped	leads to a frame, with a right to at least read or execute
 *	taken	withheld from the guest; only ept_give() opens it again, so
 *		mapping on demand can never uncover the monitor by mistake
 *
 * Locking: everything from ept_begin() to ept_commit() or ept_cancel(), and
 * ept_discharge() and ept_sync_reclaim(), run under the caller's EPT lock.
 * ept_query() and the views need no lock on a CPU that takes part in ept_sync:
 * a replaced table stays as it was until that CPU has caught up.
 */
#ifndef EPT_EPT_H
#define EPT_EPT_H

#include <ringwall/addr.h>

#include "ept/mtrr.h"

#define EPT_MUST_USE __attribute__((warn_unused_result))

/** Everything that can go wrong; the text is for logs and messages. */
#define EPT_ERRORS(X)                                                      \
	X(EPT_OK, "no error")                                              \
	X(EPT_ERR_ALIGNMENT, "address or size is not a multiple of 4 KiB") \
	X(EPT_ERR_RANGE, "range is empty or beyond the address width")     \
	X(EPT_ERR_PERMISSIONS, "permissions the CPU cannot express")       \
	X(EPT_ERR_MEMORY_TYPE, "not a memory type")                        \
	X(EPT_ERR_MAPPED, "part of the range is mapped already")           \
	X(EPT_ERR_UNMAPPED, "part of the range was never mapped")          \
	X(EPT_ERR_TAKEN, "part of the range is withheld from the guest")   \
	X(EPT_ERR_NO_MEMORY, "no page for a table")                        \
	X(EPT_ERR_FEATURES, "the CPU lacks an EPT feature that is needed") \
	X(EPT_ERR_BUSY, "another update is open")                          \
	X(EPT_ERR_VIEW_FULL, "the view has no table left for another path")

#define EPT_ERROR_NAME(name, text) name,
enum ept_error { EPT_ERRORS(EPT_ERROR_NAME) EPT_ERROR_COUNT };
#undef EPT_ERROR_NAME

/** The text of an error, never NULL. */
const char *ept_error_text(enum ept_error error);

/*
 * Permissions, the low bits of an entry (SDM Vol. 3, "EPT Translation
 * Mechanism"). Valid: any set that holds EPT_R, or EPT_X alone where the CPU
 * has execute-only translations. No permission at all is ept_take().
 */
#define EPT_R	(1ULL << 0)
#define EPT_W	(1ULL << 1)
#define EPT_X	(1ULL << 2)
#define EPT_RWX (EPT_R | EPT_W | EPT_X)

/** Level of a table or entry: 1 maps 4 KiB, 2 2 MiB, 3 1 GiB; 4 is the root. */
#define EPT_LEVELS  4
#define EPT_ENTRIES 512

/** What IA32_VMX_EPT_VPID_CAP (SDM Vol. 3, A.10) says the CPU can do. */
struct ept_features {
	bool walk_4;	    /* page-walk length 4 (needed) */
	bool write_back;    /* tables may be write-back (needed) */
	bool invept_all;    /* INVEPT, all contexts (needed) */
	bool invept_single; /* INVEPT, one context */
	bool leaf_2m;
	bool leaf_1g;
	bool execute_only; /* X without R */
	bool access_dirty; /* A/D flags: reported, never switched on */
};

/** Decodes the value of IA32_VMX_EPT_VPID_CAP (MSR 48CH). */
struct ept_features ept_features_from_cap(uint64_t cap);

/** Where pages come from; supplied by the caller, called under its EPT lock. */
struct ept_ops {
	/** A 4 KiB-aligned zeroed page of write-back memory, or NULL. */
	void *(*page_alloc)(void *ctx);
	/** Takes back a page of page_alloc that no CPU can reach any more. */
	void (*page_free)(void *ctx, void *page);
	/** Host-physical address of a page of page_alloc. */
	hpa_t (*to_hpa)(void *ctx, const void *page);
	/** The page behind a host-physical address that to_hpa gave. */
	void *(*to_va)(void *ctx, hpa_t page);
};

/** Counters of a tree. */
struct ept_stats {
	uint64_t tables;	     /* pages in use, root included */
	uint64_t leaves[EPT_LEVELS]; /* [1] 4 KiB, [2] 2 MiB, [3] 1 GiB */
};

/** A tree. Every member is the library's own; read through functions. */
struct ept {
	const struct ept_ops *ops;
	void *ctx;
	struct ept_features features;
	uint64_t *root; /* entries: atomic, written under the lock */
	uint64_t limit; /* first address beyond the width */
	struct ept_stats stats;
	bool open; /* an update is between begin and commit */
};

/**
 * Makes an empty tree (everything denied).
 *
 * physical_bits is MAXPHYADDR (CPUID 80000008H:EAX[7:0]); addresses beyond it,
 * or beyond the 48 bits of a four-level walk, are refused from then on. ops
 * and ctx must outlive the tree.
 *
 * Errors: EPT_ERR_FEATURES, EPT_ERR_RANGE (physical_bits not 32..52),
 * EPT_ERR_NO_MEMORY. The tree is untouched on failure.
 */
EPT_MUST_USE enum ept_error ept_init(struct ept *ept,
				     struct ept_features features,
				     unsigned int physical_bits,
				     const struct ept_ops *ops, void *ctx);

/** Frees every table. No CPU may use the tree, no update may be open. */
void ept_destroy(struct ept *ept);

/** The EPTP of the tree: write-back tables, walk of 4, A/D flags off. */
uint64_t ept_pointer(const struct ept *ept);

/** Counters as of the last commit. */
struct ept_stats ept_stats(const struct ept *ept);

/** What a guest-physical address leads to. */
struct ept_translation {
	hpa_t hpa;	      /* of the byte asked for */
	uint64_t permissions; /* EPT_R | EPT_W | EPT_X */
	uint8_t type;	      /* enum memory_type */
	uint8_t level;	      /* of the leaf: 1, 2 or 3 */
};

/**
 * Looks up any byte address in the committed tree.
 *
 * Errors, *ret untouched: EPT_ERR_RANGE, EPT_ERR_UNMAPPED, EPT_ERR_TAKEN.
 */
EPT_MUST_USE enum ept_error ept_query(const struct ept *ept, gpa_t gpa,
				      struct ept_translation *ret);

/** An update in preparation. The caller provides the memory, no more. */
struct ept_update {
	struct ept *ept;
	uint64_t *root;		/* private copy */
	struct ept_stats stats; /* as they will be */
	bool narrows;		/* some right is taken away */
	enum ept_error error;	/* the first one */
};

/**
 * Opens an update; nothing visible changes before ept_commit(). At most one is
 * open on a tree, and changes see the changes made before them in the update.
 *
 * Errors: EPT_ERR_BUSY, EPT_ERR_NO_MEMORY. On failure there is nothing to
 * cancel.
 */
EPT_MUST_USE enum ept_error ept_begin(struct ept_update *update,
				      struct ept *ept);

/*
 * The changes. Addresses and sizes are in bytes and multiples of 4 KiB. Errors
 * of all of them: EPT_ERR_ALIGNMENT, EPT_ERR_RANGE, EPT_ERR_NO_MEMORY and
 * those named below. Updates are all or nothing: after an error every further
 * change repeats it, a commit would publish nothing, and all that is left to
 * do is ept_cancel().
 */

/**
 * Maps an empty range to the frames from hpa on, with the largest leaves.
 *
 * Errors: EPT_ERR_PERMISSIONS, EPT_ERR_MEMORY_TYPE, EPT_ERR_MAPPED,
 * EPT_ERR_TAKEN.
 */
EPT_MUST_USE enum ept_error ept_map(struct ept_update *update, gpa_t gpa,
				    hpa_t hpa, uint64_t size,
				    uint64_t permissions,
				    enum memory_type type);

/**
 * Maps an empty range one to one, with the memory types of the MTRRs. Also for
 * a further stretch on demand (a whole GiB takes one leaf); EPT_ERR_MAPPED then
 * may mean that another CPU was first, so look again.
 *
 * Errors: EPT_ERR_PERMISSIONS, EPT_ERR_MAPPED, EPT_ERR_TAKEN.
 */
EPT_MUST_USE enum ept_error ept_map_identity(struct ept_update *update,
					     const struct mtrr_state *mtrr,
					     gpa_t gpa, uint64_t size,
					     uint64_t permissions);

/**
 * Changes the permissions of a mapped range.
 *
 * Errors: EPT_ERR_PERMISSIONS, EPT_ERR_UNMAPPED, EPT_ERR_TAKEN.
 */
EPT_MUST_USE enum ept_error ept_protect(struct ept_update *update, gpa_t gpa,
					uint64_t size, uint64_t permissions);

/**
 * Withholds a mapped range from the guest. Nothing of the old translation is
 * kept in the entries (an address left in a non-present entry can be read
 * speculatively, L1TF).
 *
 * Errors: EPT_ERR_UNMAPPED, EPT_ERR_TAKEN.
 */
EPT_MUST_USE enum ept_error ept_take(struct ept_update *update, gpa_t gpa,
				     uint64_t size);

/**
 * Gives a taken range back, one to one, with the memory types of the MTRRs.
 * The caller has scrubbed it.
 *
 * Errors: EPT_ERR_PERMISSIONS, EPT_ERR_UNMAPPED, EPT_ERR_MAPPED.
 */
EPT_MUST_USE enum ept_error ept_give(struct ept_update *update,
				     const struct mtrr_state *mtrr, gpa_t gpa,
				     uint64_t size, uint64_t permissions);

/** What a commit owes the CPUs. */
enum ept_invalidation {
	EPT_INVALIDATE_NONE,  /* nothing: no CPU can hold anything stale */
	EPT_INVALIDATE_LATER, /* all contexts, at each CPU's next entry: a CPU
			       * may hold too little, never too much, so a
			       * violation that ept_query() does not explain
			       * is retried */
	EPT_INVALIDATE_NOW,   /* all contexts, and nobody may rely on the change
			       * before every CPU has done it */
};

/** Table pages linked through bits 56:52 of their first entries. */
struct ept_pages {
	hpa_t first;
	hpa_t last;
	uint64_t count;
};

/**
 * The debt of one commit: the invalidation, and the tables it replaced, which
 * a CPU may still be walking. ept_discharge() is the only thing to do with it.
 */
struct ept_obligation {
	enum ept_invalidation invalidation;
	struct ept_pages retired;
};

/**
 * Publishes the update and closes it; cannot fail. Of an update that met an
 * error it publishes nothing.
 *
 * On CPUs that can machine-check when a page that they execute changes its
 * size (iTLB multihit, IA32_ARCH_CAPABILITIES.IF_PSCHANGE_MC_NO = 0) commit
 * splits of executable memory while all CPUs are in root mode.
 */
EPT_MUST_USE struct ept_obligation ept_commit(struct ept_update *update);

/** Closes the update without a trace; its pages are freed. */
void ept_cancel(struct ept_update *update);

#endif
