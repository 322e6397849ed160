/* SPDX-License-Identifier: MIT */
/* The host's own names for itself. What is missing stays empty. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/event/host.h"
#include "agent/event/text.h"

/* The first word of a file, cleaned. */
static void read_word(char *out, size_t size, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[128] = "";

	out[0] = '\0';
	if (!file)
		return;
	if (fgets(line, sizeof(line), file))
		line[strcspn(line, " \t\r\n")] = '\0';
	fclose(file);
	text_name(out, size, line, sizeof(line));
}

void host_read(struct host *host, const char *override)
{
	char name[HOST_NAME_SIZE] = "";
	struct utsname uts;

	memset(host, 0, sizeof(*host));
	if (override && *override)
		snprintf(name, sizeof(name), "%s", override);
	else if (gethostname(name, sizeof(name) - 1))
		name[0] = '\0';
	text_name(host->name, sizeof(host->name), *name ? name : "localhost",
		  sizeof(name));
	read_word(host->machine_id, sizeof(host->machine_id),
		  "/etc/machine-id");
	read_word(host->boot_id, sizeof(host->boot_id),
		  "/proc/sys/kernel/random/boot_id");
	if (!uname(&uts))
		text_name(host->kernel, sizeof(host->kernel), uts.release,
			  sizeof(uts.release));
}
