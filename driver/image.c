/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <ringwall/status.h>

#include "image.h"

#define KEY_UNCOMPRESSED 4 /* SEC 1, 2.3.3: first byte of an X, Y point */

static struct image *kept;

static int check_request(const struct rw_ioc_load *load)
{
	if (load->abi_version != RW_ABI_VERSION)
		return RW_E_ABI;
	if (load->reserved)
		return RW_E_ARGUMENT;
	if (!load->key_count || load->key_count > RW_BOOT_KEYS)
		return RW_E_TRUST;
	if (load->image_size > RW_IMAGE_MAX)
		return RW_E_IMAGE_SIZE;
	return kept ? RW_E_ALREADY_LOADED : 0;
}

static int copy_keys(struct image *image, const struct rw_ioc_load *load)
{
	u32 i;

	if (copy_from_user(image->key, u64_to_user_ptr(load->keys),
			   load->key_count * sizeof(image->key[0])))
		return -EFAULT;
	for (i = 0; i < load->key_count; i++)
		if (image->key[i][0] != KEY_UNCOMPRESSED)
			return RW_E_TRUST;
	image->key_count = load->key_count;
	return 0;
}

static int copy_file(struct image *image, const struct rw_ioc_load *load)
{
	image->file =
		vmemdup_user(u64_to_user_ptr(load->image), load->image_size);
	if (IS_ERR(image->file)) {
		int error = PTR_ERR(image->file);

		image->file = NULL;
		return error;
	}
	return elf_check(image->file, load->image_size, &image->elf);
}

static void release(struct image *image)
{
	kvfree(image->file);
	kfree(image);
}

int image_load(const struct rw_ioc_load *load)
{
	struct image *image;
	int error = check_request(load);

	if (error)
		return error;
	image = kzalloc(sizeof(*image), GFP_KERNEL);
	if (!image)
		return -ENOMEM;
	error = copy_keys(image, load);
	if (!error)
		error = copy_file(image, load);
	if (error)
		release(image);
	else
		kept = image;
	return error;
}

enum rw_error image_unload(void)
{
	if (!kept)
		return RW_E_NOT_LOADED;
	release(kept);
	kept = NULL;
	return RW_OK;
}

const struct image *image_loaded(void)
{
	return kept;
}
