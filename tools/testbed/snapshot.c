/* SPDX-License-Identifier: MIT */
/*
 * Drives the prompt of Bochs's debugger from a script, and lets that script save
 * the machine. Debian's Bochs has the code for saving but no headless command for
 * it, so this library is preloaded and stands in for readline().
 *
 * BOCHS_SCRIPT names the script. A line is handed to the debugger each time Bochs
 * stops, except
 *   save DIR	saves the machine's state into DIR
 *   say TEXT	prints TEXT
 * The end of the script ends Bochs. It must never touch the guest.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef char save_state_fn(void *sim, const char *dir);

/* bx_real_sim_c::save_state(const char *), exported by bochs-bin. */
#define SAVE_STATE_SYMBOL "_ZN13bx_real_sim_c10save_stateEPKc"

char *readline(const char *prompt);

static void save(const char *dir)
{
	void **sim = dlsym(RTLD_DEFAULT, "SIM");
	save_state_fn *save_state;
	int saved = 0;

	*(void **)&save_state = dlsym(RTLD_DEFAULT, SAVE_STATE_SYMBOL);
	if (sim && save_state && mkdir(dir, 0755) == 0)
		saved = save_state(*sim, dir);
	printf("\ntestbed: %s %s\n", saved ? "saved" : "could not save", dir);
	fflush(stdout);
}

char *readline(const char *prompt)
{
	static FILE *script;
	char line[256];

	(void)prompt;
	if (!script) {
		const char *name = getenv("BOCHS_SCRIPT");

		script = name ? fopen(name, "r") : NULL;
	}
	while (script && fgets(line, sizeof(line), script)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "save ", 5) == 0) {
			save(line + 5);
		} else if (strncmp(line, "say ", 4) == 0) {
			printf("\ntestbed: %s\n", line + 4);
			fflush(stdout);
		} else {
			return strdup(line);
		}
	}
	return strdup("q");
}
