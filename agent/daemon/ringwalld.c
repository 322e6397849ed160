/* SPDX-License-Identifier: MIT */
/* The daemon's arguments, signals and process. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/daemon/daemon.h"
#include "agent/errors.h"

static int usage(void)
{
	fputs("usage: ringwalld -c FILE [--foreground]\n"
	      "       ringwalld --check FILE\n",
	      stderr);
	return EXIT_CODE_USAGE;
}

static int check(const char *path)
{
	struct config_error error;
	struct config config;

	if (!config_read(&config, path, &error)) {
		fprintf(stderr, "ringwalld: %s\n", error.text);
		return EXIT_CODE_ERROR;
	}
	printf("%s: right, %zu outputs\n", path, config.output_count);
	return EXIT_CODE_OK;
}

/* Ends with SIGTERM or SIGINT; SIGHUP reads the configuration again. */
static void run(struct daemon *daemon, int signals)
{
	struct signalfd_siginfo info;
	bool signal;

	for (;;) {
		daemon_step(daemon, signals, &signal);
		if (!signal ||
		    read(signals, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo != SIGHUP)
			return;
		daemon_reload(daemon);
	}
}

/* All of the daemon; ready: a pipe that is told when it runs, or -1. */
static int serve(const char *path, int ready)
{
	static struct daemon daemon;
	sigset_t set;
	int result, signals;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0 || sigprocmask(SIG_BLOCK, &set, NULL)) {
		perror("ringwalld: signals");
		return EXIT_CODE_ERROR;
	}
	result = daemon_start(&daemon, path);
	if (result != EXIT_CODE_OK)
		return result;
	if (ready >= 0) {
		if (write(ready, "", 1) != 1)
			perror("ringwalld: ready");
		close(ready);
	}
	run(&daemon, signals);
	daemon_stop(&daemon);
	close(signals);
	return EXIT_CODE_OK;
}

/* Returns when the daemon runs behind, or with the exit code of its failure. */
static int serve_behind(const char *path)
{
	char *whole = realpath(path, NULL); /* the child goes elsewhere */
	int ready[2], status;
	pid_t child;
	char byte;

	if (!whole) {
		fprintf(stderr, "ringwalld: %s: %s\n", path, strerror(errno));
		return EXIT_CODE_ERROR;
	}
	if (pipe2(ready, O_CLOEXEC) || (child = fork()) < 0) {
		perror("ringwalld");
		return EXIT_CODE_ERROR;
	}
	if (!child) {
		close(ready[0]);
		setsid();
		if (chdir("/"))
			perror("ringwalld: /");
		exit(serve(whole, ready[1]));
	}
	free(whole);
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1)
		return EXIT_CODE_OK;
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return EXIT_CODE_ERROR;
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", required_argument, NULL, 'k' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = NULL;
	bool foreground = false;
	int option;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1)
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'k':
			return check(optarg);
		case 'f':
			foreground = true;
			break;
		case 'v':
			puts("ringwalld " RINGWALL_VERSION);
			return EXIT_CODE_OK;
		default:
			return usage();
		}
	if (!path || optind < argc)
		return usage();
	umask(027);
	return foreground ? serve(path, -1) : serve_behind(path);
}
