/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Records on their way from the monitor's ring to a reader, and the doorbell
 * that says there are some. Keeps no record.
 */
#ifndef RINGWALL_DRIVER_EVENTS_H
#define RINGWALL_DRIVER_EVENTS_H

#include <linux/fs.h>
#include <linux/poll.h>

/* At load and at unload of the module: the doorbell page. */
int events_init(void);
void events_exit(void);

/* Before and after a life of the monitor: silences the doorbell and forgets
 * what was delivered. begin returns the page's physical address. */
u64 events_begin(void);
void events_end(void);

/* Every CPU is inside: the doorbell is looked at from now on. */
void events_start(void);

/* Sequence of the last record that read() gave. */
u64 events_delivered(void);

/* Read and poll of the device: whole records, or -EINVAL for less room. */
ssize_t events_read(struct file *file, char __user *buffer, size_t size,
		    loff_t *offset);
__poll_t events_poll(struct file *file, struct poll_table_struct *wait);
int events_release(struct inode *inode, struct file *file);

#endif
