/* SPDX-License-Identifier: MIT */
/*
 * The system calls on the device file, and nothing more: the seam at which
 * tests link a fake instead. Each returns what the system call returns, with
 * errno set.
 */
#ifndef AGENT_DEVICE_IO_H
#define AGENT_DEVICE_IO_H

#include <stddef.h>
#include <sys/types.h>

int device_io_open(const char *path, int flags);
int device_io_close(int fd);
int device_io_ioctl(int fd, unsigned long request, void *argument);
ssize_t device_io_read(int fd, void *buffer, size_t size);

#endif
