/* SPDX-License-Identifier: MIT */
/*
 * The mark by which the value of a constant expression is carried from the
 * compiler to assembly sources. Only for files given to ringwall_asm_offsets();
 * they are compiled to assembly and never linked.
 */
#ifndef RINGWALL_ASM_OFFSETS_H
#define RINGWALL_ASM_OFFSETS_H

/** Inside a function: leaves "#define name value" for .S files. */
#define ASM_OFFSET(name, value) \
	__asm__ volatile("\n.ascii \"->" #name " %c0\"" : : "i"(value))

#endif
