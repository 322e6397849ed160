/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What comes and goes while the monitor is enabled: CPUs, and the power. */
#ifndef RINGWALL_DRIVER_HOTPLUG_H
#define RINGWALL_DRIVER_HOTPLUG_H

/** 0 or a negative errno; then nothing is left behind. */
int hotplug_init(void);
void hotplug_exit(void);

#endif
