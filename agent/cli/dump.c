/* SPDX-License-Identifier: MIT */
/* Reads and formats the dump; bytes that are not text are shown as '.'. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli/dump.h"
#include "agent/event/text.h"

#define VECTOR_NONE 0xffffffffu
#define PLACE_SIZE  160

static const char *const register_names[15] = {
	"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8",
	"r9",  "r10", "r11", "r12", "r13", "r14", "r15",
};

static const char *const vector_names[32] = {
	"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM",
	"#DF", NULL,  "#TS", "#NP", "#SS", "#GP", "#PF", NULL,
	"#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
};

const char *exit_reason_name(uint32_t reason)
{
	switch (reason) {
#define RW_EXIT(name, number, text) \
	case number:                \
		return text;
#include <ringwall/exit_reason.def>
#undef RW_EXIT
	default:
		return NULL;
	}
}

bool dump_open(struct dump *dump, const void *buffer, size_t size)
{
	const struct rw_dump_header *header = buffer;
	size_t left;

	if (size < sizeof(*header) || header->magic != RW_DUMP_MAGIC)
		return false;
	left = size - sizeof(*header);
	if (header->panics > left / sizeof(struct rw_panic))
		return false;
	left -= header->panics * sizeof(struct rw_panic);
	if (header->log_size > left)
		return false;
	dump->header = header;
	dump->panics = (const struct rw_panic *)(header + 1);
	dump->log = (const char *)(dump->panics + header->panics);
	return true;
}

/*
 * "event_record+0x1c" of an address in the image, or "". A return address is
 * looked up one byte before, where the call is.
 */
static void find_place(const struct dump *dump,
		       const struct image_symbols *symbols, uint64_t address,
		       bool returns, char place[PLACE_SIZE])
{
	uint64_t offset = address - dump->header->image_base, into;
	const char *name;
	char clean[128];

	place[0] = '\0';
	if (address < dump->header->image_base + returns)
		return;
	name = image_symbols_find(symbols, offset - returns, &into);
	if (!name)
		return;
	text_name(clean, sizeof(clean), name, strlen(name));
	snprintf(place, PLACE_SIZE, "%s+0x%" PRIx64, clean, into + returns);
}

/* The message as text; whatever is not printable becomes '.'. */
static void clean_text(char *out, const char *text, size_t size)
{
	size_t i;

	for (i = 0; i < size && text[i]; i++)
		out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '.';
	out[i] = '\0';
}

static void name_cause(const struct rw_panic *panic, char cause[160])
{
	char message[sizeof(panic->message) + 1];
	const char *vector = NULL;

	clean_text(message, panic->message, sizeof(panic->message));
	if (panic->vector < 32)
		vector = vector_names[panic->vector];
	if (panic->vector == VECTOR_NONE)
		snprintf(cause, 160, "%s", message);
	else
		snprintf(cause, 160,
			 "%s (vector %" PRIu32 "), error code 0x%" PRIx64
			 "%s%s",
			 vector ? vector : "exception", panic->vector,
			 panic->error_code, message[0] ? ": " : "", message);
}

static uint32_t backtrace_count(const struct rw_panic *panic)
{
	return panic->backtrace_count < RW_BACKTRACE ? panic->backtrace_count :
						       RW_BACKTRACE;
}

static void print_frames(FILE *to, const struct dump *dump,
			 const struct rw_panic *panic,
			 const struct image_symbols *symbols)
{
	char place[PLACE_SIZE];

	fputs("  backtrace\n", to);
	for (uint32_t i = 0; i < backtrace_count(panic); i++) {
		find_place(dump, symbols, panic->backtrace[i], true, place);
		fprintf(to, "    #%-2" PRIu32 " 0x%016" PRIx64 "  %s\n", i,
			panic->backtrace[i], place);
	}
}

static void print_panic(FILE *to, const struct dump *dump,
			const struct rw_panic *panic,
			const struct image_symbols *symbols)
{
	const char *reason = exit_reason_name(panic->exit_reason & 0xffff);
	char place[PLACE_SIZE], cause[160];

	name_cause(panic, cause);
	find_place(dump, symbols, panic->rip, false, place);
	fprintf(to, "panic on cpu %" PRIu32 ": %s\n", panic->cpu, cause);
	fprintf(to, "  rip 0x%016" PRIx64 "  %s\n", panic->rip, place);
	fprintf(to, "  rsp 0x%016" PRIx64 "  rflags 0x%" PRIx64 "\n",
		panic->rsp, panic->rflags);
	fprintf(to, "  cr2 0x%016" PRIx64 "  cr3 0x%016" PRIx64 "\n",
		panic->cr2, panic->cr3);
	for (size_t i = 0; i < 15; i++)
		fprintf(to, "%s%-3s 0x%016" PRIx64 "%s", i % 3 ? "" : "  ",
			register_names[i], panic->gpr[i],
			i % 3 == 2 ? "\n" : "  ");
	fprintf(to,
		"  guest rip 0x%016" PRIx64 "  rsp 0x%016" PRIx64
		"  cr3 0x%" PRIx64 "\n",
		panic->guest_rip, panic->guest_rsp, panic->guest_cr3);
	fprintf(to,
		"  last exit %" PRIu32 " (%s), qualification 0x%" PRIx64 "\n",
		panic->exit_reason & 0xffff, reason ? reason : "unknown",
		panic->exit_qualification);
	print_frames(to, dump, panic, symbols);
	fputc('\n', to);
}

void dump_print(FILE *to, const struct dump *dump,
		const struct image_symbols *symbols)
{
	const struct rw_dump_header *header = dump->header;
	char build_id[2 * RW_BUILD_ID_SIZE + 1];

	text_hex(build_id, header->build_id, sizeof(header->build_id));
	fprintf(to, "monitor %s at 0x%" PRIx64 ", %s\n\n", build_id,
		header->image_base,
		symbols ? "with symbols" : "without symbols");
	if (!header->panics)
		fputs("no panic recorded\n\n", to);
	for (uint32_t i = 0; i < header->panics; i++)
		print_panic(to, dump, &dump->panics[i], symbols);
	fputs("log\n", to);
	for (uint32_t i = 0; i < header->log_size; i++) {
		char byte = dump->log[i];

		if (byte)
			fputc(byte == '\n' || byte == '\t' ||
					      (byte >= ' ' && byte <= '~') ?
				      byte :
				      '.',
			      to);
	}
	fputc('\n', to);
}

static json_t *hex_number(uint64_t value)
{
	return json_sprintf("0x%016" PRIx64, value);
}

static json_t *json_place(const struct dump *dump,
			  const struct image_symbols *symbols, uint64_t address,
			  bool returns)
{
	char place[PLACE_SIZE];

	find_place(dump, symbols, address, returns, place);
	return json_pack("{s:o s:o*}", "address", hex_number(address), "symbol",
			 place[0] ? json_string(place) : NULL);
}

static json_t *json_panic(const struct dump *dump, const struct rw_panic *panic,
			  const struct image_symbols *symbols)
{
	json_t *registers = json_object(), *frames = json_array();
	const char *reason = exit_reason_name(panic->exit_reason & 0xffff);
	char cause[160];

	name_cause(panic, cause);
	for (size_t i = 0; i < 15; i++)
		json_object_set_new(registers, register_names[i],
				    hex_number(panic->gpr[i]));
	for (uint32_t i = 0; i < backtrace_count(panic); i++)
		json_array_append_new(frames,
				      json_place(dump, symbols,
						 panic->backtrace[i], true));
	return json_pack(
		"{s:I s:s s:o s:o s:o s:o s:o s:o s:{s:o s:o s:o} s:{s:I s:s s:o} s:o}",
		"cpu", (json_int_t)panic->cpu, "cause", cause, "rip",
		json_place(dump, symbols, panic->rip, false), "rsp",
		hex_number(panic->rsp), "rflags", hex_number(panic->rflags),
		"cr2", hex_number(panic->cr2), "cr3", hex_number(panic->cr3),
		"registers", registers, "guest", "rip",
		hex_number(panic->guest_rip), "rsp",
		hex_number(panic->guest_rsp), "cr3",
		hex_number(panic->guest_cr3), "exit", "reason",
		(json_int_t)(panic->exit_reason & 0xffff), "name",
		reason ? reason : "unknown", "qualification",
		hex_number(panic->exit_qualification), "backtrace", frames);
}

/* The log as an array of lines. */
static json_t *json_log(const struct dump *dump)
{
	json_t *lines = json_array();
	char line[256];
	size_t used = 0;

	for (uint32_t i = 0; i <= dump->header->log_size; i++) {
		bool end = i == dump->header->log_size;
		char byte = end ? '\n' : dump->log[i];

		if (byte == '\n' || used == sizeof(line) - 1) {
			line[used] = '\0';
			if (used)
				json_array_append_new(lines, json_string(line));
			used = 0;
		}
		if (byte && byte != '\n')
			line[used++] = byte >= ' ' && byte <= '~' ? byte : '.';
	}
	return lines;
}

json_t *dump_json(const struct dump *dump, const struct image_symbols *symbols)
{
	char build_id[2 * RW_BUILD_ID_SIZE + 1];
	json_t *panics = json_array();

	text_hex(build_id, dump->header->build_id, RW_BUILD_ID_SIZE);
	for (uint32_t i = 0; i < dump->header->panics; i++)
		json_array_append_new(panics, json_panic(dump, &dump->panics[i],
							 symbols));
	return json_pack("{s:I s:s s:o s:b s:o s:o}", "schema_version",
			 (json_int_t)1, "build_id", build_id, "image_base",
			 hex_number(dump->header->image_base), "symbols",
			 symbols != NULL, "panics", panics, "log",
			 json_log(dump));
}
