/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What user space may read of the monitor, and the calls that test it. Needs
 * no lock and no other CPU: one of them may be stopped.
 */
#ifndef RINGWALL_DRIVER_REPORT_H
#define RINGWALL_DRIVER_REPORT_H

#include <ringwall/ioctl.h>

/*
 * Each returns 0, an enum rw_error (RW_E_ARGUMENT: no room, or no such CPU) or
 * a negative errno; the reads store the bytes written in read->size.
 */
int report_status(struct rw_ioc_read *read);
int report_cpu_status(struct rw_ioc_read *read);
int report_dump(struct rw_ioc_read *read);
int report_test_alert(void);

/*
 * Runs a test hook on call->cpu (NO_CPU: this one). A CPU that stops in it
 * counts as success after a second. Under the driver's mutex.
 */
int report_test_hook(const struct rw_ioc_call *call);

#endif
