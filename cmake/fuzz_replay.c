/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target without a fuzzing engine: every file of a corpus, then a
 * fixed number of mutations of those files, the same ones in every run. Never
 * writes to the corpus. A crash is the result; being the same in every run, it
 * is found again in a debugger.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INPUTS 4096
#define MAX_SIZE   (1U << 20)

struct input {
	char name[256];
	uint8_t *data;
	size_t size;
};

static struct input inputs[MAX_INPUTS];
static size_t input_count;
static uint64_t state = 0x9e3779b97f4a7c15;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void die(const char *what, const char *which)
{
	fprintf(stderr, "%s: %s: %s\n", which, what, strerror(errno));
	exit(2);
}

/* xorshift64*: the same numbers in every run. */
static uint64_t next_random(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

static void read_input(const char *folder, const char *name)
{
	struct input *in = &inputs[input_count];
	char path[4096];
	FILE *file;

	if (input_count == MAX_INPUTS) {
		errno = E2BIG;
		die("more inputs than can be held", folder);
	}
	snprintf(in->name, sizeof(in->name), "%s", name);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (!file)
		die("cannot open", path);
	in->data = malloc(MAX_SIZE);
	if (!in->data)
		die("no memory", path);
	in->size = fread(in->data, 1, MAX_SIZE, file);
	if (ferror(file))
		die("cannot read", path);
	if (in->size == MAX_SIZE) {
		errno = EFBIG;
		die("input too large", path);
	}
	fclose(file);
	input_count++;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct input *)a)->name,
		      ((const struct input *)b)->name);
}

static void read_corpus(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	if (!dir)
		die("cannot open the corpus", folder);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			read_input(folder, entry->d_name);
	closedir(dir);
	qsort(inputs, input_count, sizeof(inputs[0]), by_name);
}

/* An exact-size copy, so that the sanitizer sees a read behind the end. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		die("no memory", "input");
	if (size)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

/* Values that bounds checks get wrong. */
/* clang-format off */
static const uint64_t odd_values[] = {
	0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000,
	0xffffffff, 0x7fffffffffffffff, 0x8000000000000000,
	0xfffffffffffff000, 0xffffffffffffffff,
};
/* clang-format on */

/* One change to a buffer of up to MAX_SIZE bytes; returns the new size. */
static size_t mutate_once(uint8_t *data, size_t size)
{
	uint64_t r = next_random();
	size_t at = size ? next_random() % size : 0;
	size_t width = (size_t)1 << (next_random() % 4);
	uint64_t value = odd_values[next_random() % (sizeof(odd_values) /
						     sizeof(odd_values[0]))];

	if (!size)
		return 0;
	switch (r % 5) {
	case 0:
		data[at] ^= (uint8_t)(1U << (next_random() % 8));
		return size;
	case 1:
		data[at] = (uint8_t)next_random();
		return size;
	case 2:
		at -= at % width;
		if (at + width <= size)
			memcpy(data + at, &value, width);
		return size;
	case 3:
		return at;
	default:
		width = next_random() % (size - at) + 1;
		memmove(data + next_random() % (size - width + 1), data + at,
			width);
		return size;
	}
}

static void run_mutations(unsigned long count)
{
	uint8_t *buffer = malloc(MAX_SIZE);

	if (!buffer)
		die("no memory", "mutations");
	for (unsigned long i = 0; i < count; i++) {
		const struct input *in = &inputs[i % input_count];
		size_t size = in->size;

		memcpy(buffer, in->data, size);
		for (uint64_t n = next_random() % 4 + 1; n; n--)
			size = mutate_once(buffer, size);
		run(buffer, size);
	}
	free(buffer);
}

int main(int argc, char **argv)
{
	char *end;
	unsigned long count;

	if (argc != 3) {
		fprintf(stderr, "usage: %s MUTATIONS CORPUS\n", argv[0]);
		return 2;
	}
	count = strtoul(argv[1], &end, 10);
	if (!argv[1][0] || *end) {
		fprintf(stderr, "%s: MUTATIONS is not a number\n", argv[1]);
		return 2;
	}
	read_corpus(argv[2]);
	if (!input_count) {
		fprintf(stderr, "%s: the corpus is empty\n", argv[2]);
		return 2;
	}
	for (size_t i = 0; i < input_count; i++)
		run(inputs[i].data, inputs[i].size);
	run_mutations(count);
	for (size_t i = 0; i < input_count; i++)
		free(inputs[i].data);
	printf("%zu inputs and %lu mutations\n", input_count, count);
	return 0;
}
