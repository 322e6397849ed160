/* SPDX-License-Identifier: MIT */
/* P-256 keys by OpenSSL. Must never print or log anything of a private key. */
#include <string.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "agent/policy/files.h"
#include "agent/policy/keys.h"

#define KEY_FILE_MAX 65536

/** "what: " and OpenSSL's first reason, if it has one. */
static void problem_openssl(struct problem *why, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	problem_set(why, "%s: %s", what,
		    reason ? reason : "the cryptographic library failed");
	ERR_clear_error();
}

/** The uncompressed point of a P-256 key. */
static bool key_point(EVP_PKEY *key, const char *path,
		      uint8_t ret_point[RW_KEY_POINT_SIZE], struct problem *why)
{
	char group[32];
	uint8_t point[RW_KEY_POINT_SIZE + 1];
	size_t size;

	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_group_name(key, group, sizeof(group), &size) != 1 ||
	    strcmp(group, "prime256v1")) {
		problem_set(why, "%s: not a key on the curve P-256", path);
		return false;
	}
	/* A file may hold the compressed form. */
	if (EVP_PKEY_set_utf8_string_param(
		    key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
		    OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) != 1 ||
	    EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point,
					    sizeof(point), &size) != 1 ||
	    size != RW_KEY_POINT_SIZE) {
		problem_openssl(why, path);
		return false;
	}
	memcpy(ret_point, point, RW_KEY_POINT_SIZE);
	return true;
}

/** A PEM file as an OpenSSL stream over *file, which must outlive it. */
static BIO *pem_open(const char *path, struct file *file, struct problem *why)
{
	BIO *bio;

	if (!file_read(path, KEY_FILE_MAX, file, why))
		return NULL;
	bio = BIO_new_mem_buf(file->data, (int)file->size);
	if (!bio) {
		problem_openssl(why, path);
		file_free(file);
	}
	return bio;
}

static void pem_close(BIO *bio, struct file *file)
{
	BIO_free(bio);
	OPENSSL_cleanse(file->data, file->size);
	file_free(file);
}

/** Is there another PEM block in the file? */
static bool pem_follows(BIO *bio)
{
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	long size;
	bool found = PEM_read_bio(bio, &name, &header, &data, &size) == 1;

	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	ERR_clear_error();
	return found;
}

bool key_read_public(const char *path, uint8_t ret_point[RW_KEY_POINT_SIZE],
		     struct problem *why)
{
	struct file file;
	BIO *bio = pem_open(path, &file, why);
	EVP_PKEY *key;
	bool good = false;

	if (!bio)
		return false;
	key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	ERR_clear_error();
	if (!key)
		problem_set(why, "%s: no public key in PEM form", path);
	else if (pem_follows(bio))
		problem_set(why, "%s: more than one key in one file", path);
	else
		good = key_point(key, path, ret_point, why);
	EVP_PKEY_free(key);
	pem_close(bio, &file);
	return good;
}

/** Writes one of the two halves to a new file. */
static bool write_pem(EVP_PKEY *key, const char *path, bool private,
		      struct problem *why)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text;
	long size;
	bool good;

	good = bio && (private ? PEM_write_bio_PKCS8PrivateKey(
					 bio, key, NULL, NULL, 0, NULL, NULL) :
				 PEM_write_bio_PUBKEY(bio, key)) == 1;
	if (!good) {
		problem_openssl(why, path);
	} else {
		size = BIO_get_mem_data(bio, &text);
		good = file_create(path, text, (size_t)size,
				   private ? 0600 : 0644, why);
	}
	BIO_free(bio);
	return good;
}

bool key_generate(const char *private_path, const char *public_path,
		  uint8_t ret_point[RW_KEY_POINT_SIZE], struct problem *why)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	bool good;

	if (!key) {
		problem_openssl(why, private_path);
		return false;
	}
	good = key_point(key, private_path, ret_point, why) &&
	       write_pem(key, private_path, true, why);
	if (good && public_path && !write_pem(key, public_path, false, why)) {
		unlink(private_path);
		good = false;
	}
	EVP_PKEY_free(key);
	return good;
}

static bool sign_with(EVP_PKEY *key, const void *data, size_t size,
		      struct key_signature *ret)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good;

	ret->size = sizeof(ret->der);
	good = context &&
	       EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) ==
		       1 &&
	       EVP_DigestSign(context, ret->der, &ret->size, data, size) == 1;
	EVP_MD_CTX_free(context);
	return good;
}

bool key_sign(const char *private_path, const void *data, size_t size,
	      struct key_signature *ret, struct problem *why)
{
	struct key_signature result = { 0 };
	struct file file;
	BIO *bio = pem_open(private_path, &file, why);
	EVP_PKEY *key;
	bool good = false;

	if (!bio)
		return false;
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	ERR_clear_error();
	if (!key) {
		problem_set(
			why,
			"%s: no private key in PEM form, or wrong passphrase",
			private_path);
	} else if (key_point(key, private_path, result.point, why)) {
		good = sign_with(key, data, size, &result);
		if (good)
			*ret = result;
		else
			problem_openssl(why, private_path);
	}
	EVP_PKEY_free(key);
	pem_close(bio, &file);
	return good;
}
