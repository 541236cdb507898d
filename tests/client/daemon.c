/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/client/daemon.h"

#include <check.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPTIONS_MAX = 16 };

static const char RDMA_ADDRESS[] = "CATFISH_TEST_RDMA_ADDRESS";

static void run(const struct daemon *daemon, const char *network,
		const char *const *options, int output);
static void await_ready(struct daemon *daemon, int output);

bool daemon_uses_rdma(void)
{
	return getenv(RDMA_ADDRESS) != NULL;
}

const char *daemon_program(void)
{
	static char path[4096];
	const char *program = getenv("CATFISHD");
	const char *tree = getenv("top_builddir");

	if (program)
		return program;
	snprintf(path, sizeof(path), "%s/catfishd", tree ? tree : ".");
	return path;
}

static void start(struct daemon *daemon, const char *network,
		  const char *const *options)
{
	int output[2];

	ck_assert_int_eq(pipe(output), 0);
	daemon->pid = fork();
	ck_assert_int_ge(daemon->pid, 0);
	if (daemon->pid == 0)
		run(daemon, network, options, output[1]);
	close(output[1]);
	await_ready(daemon, output[0]);
	close(output[0]);
}

void daemon_start(struct daemon *daemon, const char *const *options)
{
	char network[sizeof(daemon->network)];

	memset(daemon, 0, sizeof(*daemon));
	strcpy(daemon->folder, "/tmp/catfish-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(daemon->folder));
	snprintf(daemon->shm, sizeof(daemon->shm), "shm://%s/sock",
		 daemon->folder);
	snprintf(network, sizeof(network), "%s://%s:0",
		 daemon_uses_rdma() ? "verbs" : "tcp",
		 daemon_uses_rdma() ? getenv(RDMA_ADDRESS) : "127.0.0.1");
	start(daemon, network, options);
}

void daemon_start_again(struct daemon *daemon, const char *const *options)
{
	char network[sizeof(daemon->network)];

	strcpy(network, daemon->network);
	start(daemon, network, options);
	ck_assert_str_eq(daemon->network, network);
}

void daemon_pause(struct daemon *daemon)
{
	int status;

	kill(daemon->pid, SIGSTOP);
	/* It takes a moment until all its threads stand still. */
	waitpid(daemon->pid, &status, WUNTRACED);
	ck_assert(WIFSTOPPED(status));
}

int daemon_end(struct daemon *daemon, int signal)
{
	int status;

	kill(daemon->pid, signal);
	waitpid(daemon->pid, &status, 0);
	daemon->pid = 0;
	return status;
}

static int remove_entry(const char *path, const struct stat *stat, int type,
			struct FTW *at)
{
	return remove(path);
}

void daemon_stop(struct daemon *daemon)
{
	int status = daemon->pid ? daemon_end(daemon, SIGTERM) : 0;

	ck_assert_int_eq(status, 0);
	nftw(daemon->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* A quarter of the machine's memory, as by default, takes a soft-RoCE device
 * seconds to lock. */
static void run(const struct daemon *daemon, const char *network,
		const char *const *options, int output)
{
	const char *arguments[OPTIONS_MAX] = {
		"catfishd", "--listen", daemon->shm, "--listen",
		network,    "--memory", "32M",
	};
	size_t count = 7;

	while (options && *options && count < OPTIONS_MAX - 1)
		arguments[count++] = *options++;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(output, STDOUT_FILENO);
	execv(daemon_program(), (char *const *)arguments);
	perror(daemon_program());
	_exit(127);
}

/* "catfishd ready: ..." names the port that it was given. */
static void await_ready(struct daemon *daemon, int output)
{
	FILE *lines = fdopen(dup(output), "r");
	char line[1024];

	ck_assert_msg(fgets(line, sizeof(line), lines), "%s did not start",
		      daemon_program());
	fclose(lines);
	ck_assert_msg(!strncmp(line, "catfishd ready:", 15), "%s", line);
	const char *network =
		strstr(line, daemon_uses_rdma() ? "verbs://" : "tcp://");
	ck_assert_msg(network, "%s", line);
	size_t size = strcspn(network, " ,;\n");
	ck_assert_uint_lt(size, sizeof(daemon->network));
	memcpy(daemon->network, network, size);
	daemon->network[size] = '\0';
}
