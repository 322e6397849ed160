/* SPDX-License-Identifier: MIT */
/* The chain of records: SHA-256 from OpenSSL, the state in a small text file. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "agent/event/chain.h"
#include "agent/event/text.h"

#define HEX_SIZE  (2 * RW_SHA256_SIZE + 1)
#define FILE_SIZE 256

void chain_start(struct chain *chain, const uint8_t nonce[RW_SHA256_SIZE])
{
	memcpy(chain->nonce, nonce, RW_SHA256_SIZE);
	memcpy(chain->last, nonce, RW_SHA256_SIZE);
	chain->sequence = 0;
}

/* A LOST record that names exactly the hole before it. */
static bool explains_hole(const struct rw_event *record, uint64_t expected)
{
	return record->kind == RW_EVENT_LOST && record->sequence > expected &&
	       record->detail[0] == expected &&
	       record->detail[1] == record->sequence - 1;
}

enum chain_verdict chain_check(const struct chain *chain,
			       const struct rw_event *record)
{
	uint64_t expected = chain->sequence + 1;
	uint8_t digest[RW_SHA256_SIZE];
	struct {
		uint8_t previous[RW_SHA256_SIZE];
		struct rw_event record;
	} hashed;

	if (record->sequence != expected && !explains_hole(record, expected))
		return CHAIN_MISSING;
	memcpy(hashed.previous, chain->last, sizeof(hashed.previous));
	hashed.record = *record;
	memset(hashed.record.chain, 0, sizeof(hashed.record.chain));
	SHA256((const uint8_t *)&hashed, sizeof(hashed), digest);
	return memcmp(digest, record->chain, sizeof(digest)) ? CHAIN_BROKEN :
							       CHAIN_OK;
}

void chain_advance(struct chain *chain, const struct rw_event *record)
{
	chain->sequence = record->sequence;
	memcpy(chain->last, record->chain, sizeof(chain->last));
}

/* The four words of the file, each behind one blank or end of line. */
static int parse(struct chain *chain, char *text)
{
	char *words[5], *end;
	size_t count = 0;

	for (char *rest = text; count < 5 && rest; count++)
		words[count] = strsep(&rest, " \n");
	if (count < 5 || strcmp(words[0], "ringwall-chain") != 0 ||
	    strcmp(words[1], "1") != 0 ||
	    text_unhex(words[2], chain->nonce, RW_SHA256_SIZE) ||
	    text_unhex(words[4], chain->last, RW_SHA256_SIZE))
		return -1;
	errno = 0;
	chain->sequence = strtoull(words[3], &end, 10);
	return errno || end == words[3] || *end ? -1 : 0;
}

int chain_load(struct chain *chain, const char *path)
{
	FILE *file = fopen(path, "re");
	struct chain loaded;
	char text[FILE_SIZE];
	size_t size;

	if (!file)
		return -1;
	size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	if (parse(&loaded, text))
		return -1;
	*chain = loaded;
	return 0;
}

int chain_save(const struct chain *chain, const char *path)
{
	char nonce[HEX_SIZE], last[HEX_SIZE], text[FILE_SIZE];
	char temporary[4096];
	int fd, length, written;

	length = snprintf(temporary, sizeof(temporary), "%s.new", path);
	if (length < 0 || (size_t)length >= sizeof(temporary))
		return -1;
	text_hex(nonce, chain->nonce, RW_SHA256_SIZE);
	text_hex(last, chain->last, RW_SHA256_SIZE);
	length = snprintf(text, sizeof(text),
			  "ringwall-chain 1\n%s\n%" PRIu64 "\n%s\n", nonce,
			  chain->sequence, last);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	written = (int)write(fd, text, (size_t)length);
	if (close(fd) || written != length || rename(temporary, path)) {
		unlink(temporary);
		return -1;
	}
	return 0;
}
