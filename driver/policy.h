/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The way of a signed policy from user space to the monitor. Looks at none of
 * it: what the policy is worth is the monitor's judgement. */
#ifndef RINGWALL_DRIVER_POLICY_H
#define RINGWALL_DRIVER_POLICY_H

#include <ringwall/ioctl.h>

/*
 * Uploads and commits the policy, and waits until it is in force on every CPU;
 * policy->state becomes the state the monitor then reports. Returns 0, the
 * monitor's enum rw_error, RW_E_POLICY_MODE if the policy was taken and is not
 * in force everywhere, or a negative errno. Under the driver's mutex.
 */
int policy_load(struct rw_ioc_policy *policy);

#endif
