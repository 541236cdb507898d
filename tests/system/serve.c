/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/system/serve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool make_folder(struct serve *serve);
static void become_server(const struct serve *serve, const char *program,
			  char *const options[], char *const environment[],
			  int output);
static bool await_ready(struct serve *serve, int output);

/* Where to listen for clients. */
static void choose_address(struct serve *serve, const char *fabric)
{
	if (!strcmp(fabric, "shm"))
		snprintf(serve->address, sizeof(serve->address), "shm://%.100s",
			 serve->socket);
	else
		snprintf(serve->address, sizeof(serve->address), "%s",
			 strcmp(fabric, "tcp") ? fabric : "tcp://127.0.0.1:0");
}

bool serve_start(struct serve *serve, const char *program, const char *fabric,
		 char *const options[], char *const environment[])
{
	int output[2];

	if (!make_folder(serve) || pipe(output))
		return false;
	choose_address(serve, fabric);
	serve->pid = fork();
	if (serve->pid == 0) {
		close(output[0]);
		become_server(serve, program, options, environment, output[1]);
	}
	close(output[1]);
	bool ready = serve->pid > 0 && await_ready(serve, output[0]);
	close(output[0]);
	if (!ready) {
		fprintf(stderr, "%s did not start\n", program);
		serve_stop(serve);
	}
	return ready;
}

/* A short path: a Unix socket's has at most 107 bytes. */
static bool make_folder(struct serve *serve)
{
	const char *parent = getenv("TMPDIR");

	snprintf(serve->folder, sizeof(serve->folder), "%s/catfish-XXXXXX",
		 parent && strlen(parent) < 64 ? parent : "/tmp");
	if (!mkdtemp(serve->folder)) {
		perror(serve->folder);
		return false;
	}
	snprintf(serve->socket, sizeof(serve->socket), "%.90s/sock",
		 serve->folder);
	return true;
}

static void become_server(const struct serve *serve, const char *program,
			  char *const options[], char *const environment[],
			  int output)
{
	const char *arguments[SERVE_OPTIONS_MAX + 8] = {
		program,
		"--listen",
		serve->address,
	};
	int count = 3;

	for (; *options && count < SERVE_OPTIONS_MAX; options++)
		arguments[count++] = *options;
	for (; *environment; environment++)
		putenv(*environment);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(output, STDOUT_FILENO);
	execvp(program, (char **)arguments);
	perror(program);
	_exit(127);
}

/* Takes the address, with its port, from the line that says so. */
static bool await_ready(struct serve *serve, int output)
{
	char line[1024];
	size_t size = 0;
	ssize_t got;

	while (size < sizeof(line) - 1 && !memchr(line, '\n', size) &&
	       (got = read(output, line + size, sizeof(line) - 1 - size)) > 0)
		size += (size_t)got;
	line[size] = 0;
	const char *scheme = strstr(line, "://");
	if (strncmp(line, "catfishd ready:", 15) != 0 || !scheme)
		return false;
	while (scheme[-1] != ' ')
		scheme--;
	snprintf(serve->address, sizeof(serve->address), "%.*s",
		 (int)strcspn(scheme, " ,;\n"), scheme);
	return true;
}

bool serve_stop(struct serve *serve)
{
	const struct timespec a_moment = {.tv_nsec = 10 * 1000 * 1000};
	int status = -1;

	if (serve->pid > 0) {
		pid_t ended = 0;
		kill(serve->pid, SIGTERM);
		for (int i = 0; i < 1500 && !ended; i++) {
			ended = waitpid(serve->pid, &status, WNOHANG);
			if (!ended)
				nanosleep(&a_moment, NULL);
		}
		if (!ended) {
			fprintf(stderr, "the server had to be killed\n");
			kill(serve->pid, SIGKILL);
			waitpid(serve->pid, &status, 0);
		}
	}
	serve->pid = 0;
	/* The server removes its socket, unless it was killed. */
	unlink(serve->socket);
	rmdir(serve->folder);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
