/* SPDX-License-Identifier: MIT */
/* Reading and writing of whole files. Must never leave half a file behind. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/policy/files.h"

#define FIRST_READ 65536

/** Reads on until the end; *data grows up to max + 1 bytes. */
static bool read_all(int fd, size_t max, struct file *file)
{
	size_t room = 0;

	for (;;) {
		ssize_t got;

		if (file->size == room) {
			size_t more = room ? room * 2 : FIRST_READ;
			uint8_t *data;

			if (more > max + 1)
				more = max + 1;
			data = realloc(file->data, more);
			if (!data)
				return false;
			file->data = data;
			room = more;
		}
		got = read(fd, file->data + file->size, room - file->size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		file->size += (size_t)got;
		if (!got)
			return true;
		if (file->size > max) {
			errno = EFBIG;
			return false;
		}
	}
}

bool file_read(const char *path, size_t max, struct file *ret,
	       struct problem *why)
{
	struct file file = { NULL, 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool good;

	if (fd < 0) {
		problem_errno(why, path);
		return false;
	}
	good = read_all(fd, max, &file);
	if (good) {
		*ret = file;
	} else {
		if (errno == EFBIG)
			problem_set(why, "%s: larger than %zu bytes", path,
				    max);
		else
			problem_errno(why, path);
		free(file.data);
	}
	close(fd);
	return good;
}

void file_free(struct file *file)
{
	free(file->data);
	file->data = NULL;
	file->size = 0;
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
	while (size) {
		ssize_t put = write(fd, data, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		data += put;
		size -= (size_t)put;
	}
	return true;
}

/** Writes, syncs and closes; the caller removes the file on failure. */
static bool fill_and_close(int fd, const void *data, size_t size)
{
	bool good = write_all(fd, data, size) && !fsync(fd);
	int error = errno;

	if (close(fd) && good)
		return false;
	errno = error;
	return good;
}

bool file_create(const char *path, const void *data, size_t size, mode_t mode,
		 struct problem *why)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0) {
		problem_errno(why, path);
		return false;
	}
	if (fill_and_close(fd, data, size))
		return true;
	problem_errno(why, path);
	unlink(path);
	return false;
}

/**
 * The permissions of path, or for a new file those that umask allows. False: it
 * is a device, a link or a folder, which a rename would take the place of.
 */
static bool mode_of(const char *path, mode_t *ret)
{
	struct stat status;
	mode_t mask;

	if (!lstat(path, &status)) {
		*ret = status.st_mode & 0777;
		return S_ISREG(status.st_mode);
	}
	mask = umask(0);
	umask(mask);
	*ret = 0666 & ~mask;
	return true;
}

bool file_replace(const char *path, const void *data, size_t size,
		  struct problem *why)
{
	size_t room = strlen(path) + sizeof(".XXXXXX");
	char *beside;
	mode_t mode;
	int fd = -1;

	if (!mode_of(path, &mode)) {
		problem_set(why, "%s: not a regular file", path);
		return false;
	}
	beside = malloc(room);
	if (beside) {
		snprintf(beside, room, "%s.XXXXXX", path);
		fd = mkostemp(beside, O_CLOEXEC);
	}
	if (fd < 0) {
		problem_errno(why, path);
		free(beside);
		return false;
	}
	if (fchmod(fd, mode) || !fill_and_close(fd, data, size) ||
	    rename(beside, path)) {
		problem_errno(why, path);
		unlink(beside);
		free(beside);
		return false;
	}
	free(beside);
	return true;
}
