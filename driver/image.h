/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The monitor image that was loaded and the keys it shall trust, from LOAD to
 * UNLOAD. The image in here is checked; nobody changes it.
 */
#ifndef RINGWALL_DRIVER_IMAGE_H
#define RINGWALL_DRIVER_IMAGE_H

#include <ringwall/boot.h>
#include <ringwall/ioctl.h>

#include "elf.h"

struct image {
	void *file;
	struct elf_image elf;
	u32 key_count;
	u8 key[RW_BOOT_KEYS][RW_KEY_POINT_SIZE];
};

/*
 * Copies image and keys from user space, checks them, keeps them. Returns 0,
 * an enum rw_error (E_ABI, E_ALREADY_LOADED, E_ARGUMENT, E_TRUST, E_IMAGE_*)
 * or a negative errno. The caller holds the driver's mutex, here and below.
 */
int image_load(const struct rw_ioc_load *load);

/* Forgets the image. RW_E_NOT_LOADED if there is none. */
enum rw_error image_unload(void);

/* The image kept, or NULL. */
const struct image *image_loaded(void);

#endif
