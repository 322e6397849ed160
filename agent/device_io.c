/* SPDX-License-Identifier: MIT */
/* The system calls on the device file, passed through unchanged. */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/device_io.h"

int device_io_open(const char *path, int flags)
{
	return open(path, flags);
}

int device_io_close(int fd)
{
	return close(fd);
}

int device_io_ioctl(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument);
}

ssize_t device_io_read(int fd, void *buffer, size_t size)
{
	return read(fd, buffer, size);
}
