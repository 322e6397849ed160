/* SPDX-License-Identifier: MIT */
/*
 * The guest's end of the emulator's side channels: port 0xE9 (text to the host),
 * port 0x8900 (snapshot, end of run) and a raw disk on ata0-slave (the payload),
 * all by port I/O from user space so that no driver has to be loaded.
 *
 *   port snapshot	let the host save the machine here
 *   port payload	the payload disk's contents to stdout
 *   port run CMD...	run CMD with its output to the host, each line after "| ",
 *			report its exit status and end the run
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT_TEXT    0xe9
#define PORT_CONTROL 0x8900
#define ATA_DATA     0x1f0
#define ATA_COUNT    0x1f2
#define ATA_LBA_LOW  0x1f3
#define ATA_LBA_MID  0x1f4
#define ATA_LBA_HIGH 0x1f5
#define ATA_DEVICE   0x1f6
#define ATA_STATUS   0x1f7
#define ATA_CONTROL  0x3f6
#define SECTOR	     512

static char line[1024] = "| ";
static size_t line_used = 2;

static void end_line(void)
{
	line[line_used++] = '\n';
	outsb(PORT_TEXT, line, line_used);
	line_used = 2;
}

/* Text goes out a line at a time, so that lines of two writers do not mix. */
static void text(const char *s, size_t n)
{
	for (; n--; s++) {
		if (*s != '\n')
			line[line_used++] = *s;
		if (*s == '\n' || line_used == sizeof(line) - 1)
			end_line();
	}
}

static void end_of_run(int status)
{
	char last[64];
	int n = snprintf(last, sizeof(last), "guest: status %d\n", status);

	if (line_used > 2)
		end_line();
	outsb(PORT_TEXT, last, (size_t)n);
	outsb(PORT_CONTROL, "Shutdown", 8);
}

static int read_sector(unsigned int lba, void *to)
{
	unsigned char status;
	int tries = 0;

	outb((unsigned char)(0xf0 | (lba >> 24 & 15)), ATA_DEVICE);
	for (int i = 0; i < 4; i++)
		inb(ATA_CONTROL);
	outb(1, ATA_COUNT);
	outb((unsigned char)lba, ATA_LBA_LOW);
	outb((unsigned char)(lba >> 8), ATA_LBA_MID);
	outb((unsigned char)(lba >> 16), ATA_LBA_HIGH);
	outb(0x20, ATA_STATUS);
	while (((status = inb(ATA_STATUS)) & 0x88) != 8)
		if ((status & 1) || ++tries > 1000000)
			return -1;
	insl(ATA_DATA, to, SECTOR / 4);
	return 0;
}

/* The first sector holds the number of the sectors that follow, in decimal. */
static int payload(void)
{
	static char sector[SECTOR];
	unsigned int count;

	outb(2, ATA_CONTROL);
	if (read_sector(0, sector) < 0)
		return 1;
	sector[SECTOR - 1] = '\0';
	count = (unsigned int)strtoul(sector, NULL, 10);
	for (unsigned int lba = 1; lba <= count; lba++)
		if (read_sector(lba, sector) < 0 ||
		    write(STDOUT_FILENO, sector, SECTOR) != SECTOR)
			return 1;
	return 0;
}

static void drain(int fd)
{
	char buffer[4096];
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		text(buffer, (size_t)n);
}

static void woken(int signal)
{
	(void)signal;
}

/* Waits for the command itself: daemons it left behind may keep the pipe open. */
static int run(char **command)
{
	int fds[2], status = 0;
	pid_t child;

	if (pipe(fds) < 0)
		return 1;
	signal(SIGCHLD, woken);
	child = fork();
	if (child == 0) {
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		execvp(command[0], command);
		_exit(127);
	}
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	while (waitpid(child, &status, WNOHANG) == 0) {
		struct pollfd wait = { .fd = fds[0], .events = POLLIN };

		poll(&wait, 1, 100);
		drain(fds[0]);
	}
	drain(fds[0]);
	end_of_run(WIFEXITED(status) ? WEXITSTATUS(status) :
				       128 + WTERMSIG(status));
	return 0;
}

int main(int argc, char **argv)
{
	if (iopl(3) < 0) {
		perror("iopl");
		return 1;
	}
	if (argc == 2 && strcmp(argv[1], "snapshot") == 0) {
		outsb(PORT_TEXT, "\nguest: booted\n", 15);
		outb('D', PORT_CONTROL);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "payload") == 0)
		return payload();
	if (argc > 2 && strcmp(argv[1], "run") == 0)
		return run(argv + 2);
	fputs("usage: port snapshot | payload | run CMD...\n", stderr);
	return 2;
}
