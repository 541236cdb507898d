/* SPDX-License-Identifier: BSD-2-Clause */

/* version-checker: starts a catfishd, writes as fast as it can, searches by
 * every path meanwhile, and compares every answer with the items of exactly the
 * version that it names, replayed from the writes. */

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/program.h"
#include "tests/system/checker.h"
#include "tests/system/options.h"
#include "tests/system/serve.h"

enum {
	STREAM_SIZE = 1 << 22,
	PROCESSES_MAX = 1 + PATH_COUNT,
};

/* Exit statuses besides 0 and EXIT_USAGE. */
enum { ANSWERS_WRONG = 1, SHOWN_TOO_LITTLE = 3 };

/* How long nothing may happen before something must hang. */
#define PATIENCE_NS (60 * NS_PER_S)

struct run {
	struct options options;
	struct serve serve;
	struct stage *stage;
	struct checker checker;
	pid_t processes[PROCESSES_MAX];
	int process_count;

	/* Stopping the readers, all but the first process. */
	uint64_t stops; /* so far */
	uint64_t next_signal_ns;
	bool are_stopped;
	bool all_pages_are_there; /* in the end */
	bool broken; /* a process ended that shouldn't have, or hangs */
};

static bool start_server(struct run *run);
static void make_stage(struct run *run);
static bool learn_first_version(struct run *run);
static bool count_pages(const struct stage *stage);
static void start_clients(struct run *run);
static void compare(struct run *run);
static void end_clients(struct run *run);
static int report(const struct run *run);

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	interrupted = number;
}

int main(int argc, char **argv)
{
	static struct run run;

	program_init("version-checker");
	int status = options_parse(argc, argv, &run.options);
	if (status || run.options.is_done)
		return status;
	signal(SIGINT, interrupt);
	signal(SIGTERM, interrupt);
	if (!start_server(&run))
		return ANSWERS_WRONG;
	make_stage(&run);
	status = ANSWERS_WRONG;
	if (learn_first_version(&run)) {
		checker_init(&run.checker, run.stage);
		start_clients(&run);
		compare(&run);
		end_clients(&run);
		run.all_pages_are_there = count_pages(run.stage);
		status = report(&run);
		checker_fini(&run.checker);
	}
	if (!serve_stop(&run.serve)) {
		printf("the server did not end as it should\n");
		status = ANSWERS_WRONG;
	}
	return status;
}

/* --- The server and the stage ------------------------------------------- */

static bool start_server(struct run *run)
{
	static char memory[] = "--memory", lease[] = "--lease",
		    threads[] = "--threads", push_back[] = "--push-back";
	struct options *options = &run->options;
	char *const arguments[] = {memory,
				   options->memory,
				   lease,
				   options->lease,
				   threads,
				   options->threads,
				   options->push_back ? push_back : NULL,
				   options->push_back,
				   NULL};

	return serve_start(&run->serve, options->server, options->fabric,
			   arguments, options->of_server.setting);
}

/* Room for the largest answer and some more. */
static uint64_t answers_size(const struct options *options)
{
	uint64_t largest = sizeof(struct answer_record) +
			   (options->items + 2 * CHANGES_MAX * WRITERS_MAX) *
				   sizeof(struct item);

	return largest * 4 > STREAM_SIZE ? largest * 4 : STREAM_SIZE;
}

static void make_stage(struct run *run)
{
	const struct options *options = &run->options;
	struct stage *stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (stage == MAP_FAILED) {
		perror("mmap");
		exit(99);
	}
	stage->seed = options->seed;
	stage->is_faulty = options->is_faulty;
	stage->is_pushed_back = options->push_back;
	stage->items = options->items;
	stage->changes = (unsigned)options->changes;
	stage->together = (unsigned)options->together;
	stage->writers = (unsigned)options->writers;
	snprintf(stage->address, sizeof(stage->address), "%s",
		 run->serve.address);
	for (unsigned i = 0; i < stage->writers; i++)
		stream_init(&stage->writer[i].log, STREAM_SIZE);
	for (int path = 0; path < PATH_COUNT; path++)
		for (uint64_t i = 0;
		     options->paths[path] && i < options->readers; i++) {
			struct reader *reader =
				&stage->reader[stage->reader_count++];
			reader->path = path;
			stream_init(&reader->answers, answers_size(options));
		}
	run->stage = stage;
}

static int ask_first_version(struct run *run)
{
	struct stage *stage = run->stage;
	struct catfish *server;
	struct catfish_stat stat;

	int error = catfish_connect(stage->address, NULL, &server);
	if (!error) {
		error = catfish_stat(server, &stat);
		stage->lease_ns = stat.lease_ns;
		catfish_close(server);
	}
	if (error) {
		fprintf(stderr, "version-checker: %s\n", catfish_error_text());
		return 1;
	}
	stage->first_version = stat.version;
	atomic_store(&stage->acknowledged, stat.version);
	return 0;
}

/* In a process of its own: what has been connected by RDMA can't fork processes
 * that connect by it. */
static bool learn_first_version(struct run *run)
{
	int status = 1;

	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(ask_first_version(run));
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* Whether each page is in the tree, free, or waits to be. */
static bool count_pages(const struct stage *stage)
{
	struct catfish *server;
	struct catfish_stat stat;
	uint64_t pages = 1;

	int error = catfish_connect(stage->address, NULL, &server);
	if (error)
		return false;
	error = catfish_stat(server, &stat);
	catfish_close(server);
	if (error)
		return false;
	for (int level = 0; level < CATFISH_LEVELS; level++)
		pages += stat.nodes[level];
	printf("pages: %" PRIu64 " in the tree, %" PRIu64 " free, %" PRIu64
	       " retired, %" PRIu64 " in all; %" PRIu64 " writes refused\n",
	       pages, stat.free_pages, stat.retired_pages, stat.pages,
	       atomic_load(&stage->refused));
	return pages + stat.free_pages + stat.retired_pages == stat.pages;
}

/* --- Clients ------------------------------------------------------------ */

/* One thread of a client process. */
struct thread {
	pthread_t thread;
	struct stage *stage;
	void (*run)(struct stage *stage, unsigned number);
	unsigned number;
};

static void *run_thread(void *argument)
{
	struct thread *thread = argument;

	thread->run(thread->stage, thread->number);
	return NULL;
}

static void run_threads(struct thread *threads, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (pthread_create(&threads[i].thread, NULL, run_thread,
				   &threads[i]))
			_exit(99);
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i].thread, NULL);
}

static void become_client(struct run *run, struct thread *threads,
			  unsigned count)
{
	const struct environment *environment = &run->options.of_clients;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN); /* the parent ends all in good order */
	signal(SIGTERM, SIG_DFL);
	for (int i = 0; i < environment->count; i++)
		putenv(environment->setting[i]);
	run_threads(threads, count);
	fflush(NULL);
	_exit(0);
}

static void start_client(struct run *run, struct thread *threads,
			 unsigned count)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		become_client(run, threads, count);
	if (pid < 0) {
		perror("fork");
		run->broken = true;
		return;
	}
	run->processes[run->process_count++] = pid;
}

/* One process writes, and one reads by each path. */
static void start_clients(struct run *run)
{
	struct thread threads[WRITERS_MAX + READERS_MAX];
	struct stage *stage = run->stage;
	unsigned count = 0;

	for (; count < stage->writers; count++)
		threads[count] = (struct thread){
			.stage = stage, .run = writer_run, .number = count};
	start_client(run, threads, count);
	for (unsigned i = 0; i < stage->reader_count; i += count) {
		for (count = 0; count < run->options.readers; count++)
			threads[count] = (struct thread){.stage = stage,
							 .run = reader_run,
							 .number = i + count};
		start_client(run, threads, count);
	}
}

static void forget_process(struct run *run, int i)
{
	run->processes[i] = run->processes[--run->process_count];
}

/* Whether no process has come to a bad end; those that ended are forgotten. */
static bool clients_are_well(struct run *run)
{
	int status;

	for (int i = run->process_count - 1; i >= 0; i--) {
		if (waitpid(run->processes[i], &status, WNOHANG) <= 0)
			continue;
		forget_process(run, i);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		printf("a client ended with %s %d\n",
		       WIFSIGNALED(status) ? "signal" : "status",
		       WIFSIGNALED(status) ? WTERMSIG(status)
					   : WEXITSTATUS(status));
		return false;
	}
	return true;
}

static void rest(void)
{
	const struct timespec a_moment = {.tv_nsec = 500 * 1000};

	nanosleep(&a_moment, NULL);
}

/* Once all is compared they are about to end by themselves; after a wrong
 * answer they don't matter any more. */
static void end_clients(struct run *run)
{
	uint64_t until = clock_now_ns() + PATIENCE_NS / 4;

	while (run->process_count && !run->checker.is_wrong && !run->broken) {
		run->broken = !clients_are_well(run) || clock_now_ns() > until;
		rest();
	}
	while (run->process_count) {
		kill(run->processes[0], SIGKILL);
		waitpid(run->processes[0], NULL, 0);
		forget_process(run, 0);
	}
}

/* --- Comparing ---------------------------------------------------------- */

static void signal_readers(struct run *run, int number)
{
	for (int i = 1; i < run->process_count; i++)
		kill(run->processes[i], number);
}

static uint64_t answer_count(const struct checker *checker)
{
	uint64_t count = 0;

	for (int path = 0; path < PATH_COUNT; path++)
		count += checker->tally[path].searches;
	return count;
}

/* Stops the readers or lets them go on, when it is time to: not before they
 * have begun to search. */
static void stop_and_go(struct run *run, uint64_t now)
{
	uint64_t pause = run->options.time_ns / (run->options.stops + 1);

	if (now < run->next_signal_ns || !answer_count(&run->checker))
		return;
	if (run->are_stopped) {
		signal_readers(run, SIGCONT);
		run->next_signal_ns = now + pause / 2;
	} else if (run->next_signal_ns && run->stops < run->options.stops) {
		signal_readers(run, SIGSTOP);
		run->stops++;
		run->next_signal_ns = now + 10 * run->stage->lease_ns;
	} else {
		run->next_signal_ns = now + pause / 2;
		return;
	}
	run->are_stopped = !run->are_stopped;
}

static bool has_enough(const struct run *run)
{
	return run->options.answers &&
	       answer_count(&run->checker) >= run->options.answers;
}

/* On a machine that is short of time the stops take longer than the run was to
 * take; they are all made. */
static bool has_stops_left(const struct run *run)
{
	return run->are_stopped || run->stops < run->options.stops;
}

static void compare(struct run *run)
{
	uint64_t now = clock_now_ns(), worked = now;
	uint64_t until = now + run->options.time_ns;
	enum checker_progress progress = CHECKER_WORKED;

	for (unsigned i = 0; !run->broken && progress != CHECKER_ENDED; i++) {
		progress = checker_run(&run->checker);
		if (progress == CHECKER_WORKED && i % 256)
			continue;
		now = clock_now_ns();
		if (progress == CHECKER_WORKED)
			worked = now;
		else
			rest();
		stop_and_go(run, now);
		if (interrupted || has_enough(run) ||
		    (now >= until && !has_stops_left(run)))
			atomic_store(&run->stage->ending, true);
		if (now - worked > PATIENCE_NS) {
			printf("nothing has happened for %d s\n",
			       (int)(PATIENCE_NS / NS_PER_S));
			run->broken = true;
		}
		/* What a client put into its stream before it fell is judged
		 * first: it may be the reason. */
		if (progress == CHECKER_WAITS && !clients_are_well(run))
			run->broken = true;
	}
}

/* --- Reporting ---------------------------------------------------------- */

static void add(struct tally *sum, const struct tally *tally)
{
	sum->searches += tally->searches;
	sum->non_empty += tally->non_empty;
	sum->items += tally->items;
	sum->nearest += tally->nearest;
	sum->cached += tally->cached;
	sum->overlapped += tally->overlapped;
	sum->by_messaging += tally->by_messaging;
	sum->lease_expiries += tally->lease_expiries;
	if (sum->most_expiries < tally->most_expiries)
		sum->most_expiries = tally->most_expiries;
	sum->pushed_back += tally->pushed_back;
	sum->retries += tally->retries;
	sum->refused += tally->refused;
	sum->failed += tally->failed;
}

static void print_tally(const char *name, const struct tally *t)
{
	printf("%-10s %10" PRIu64 " %10" PRIu64 " %11" PRIu64 " %9" PRIu64
	       " %9" PRIu64 " %10" PRIu64 " %8" PRIu64 " %8" PRIu64 " %9" PRIu64
	       " %8" PRIu64 " %7" PRIu64 "\n",
	       name, t->searches, t->non_empty, t->items, t->nearest, t->cached,
	       t->overlapped, t->lease_expiries, t->retries, t->by_messaging,
	       t->refused, t->failed);
}

static void print_tallies(const struct run *run, struct tally *sum)
{
	printf("%-10s %10s %10s %11s %9s %9s %10s %8s %8s %9s %8s %7s\n",
	       "path", "searches", "non-empty", "items", "nearest", "cached",
	       "overlapped", "expiries", "retries", "messaging", "refused",
	       "failed");
	for (int path = 0; path < PATH_COUNT; path++) {
		if (!run->options.paths[path])
			continue;
		print_tally(path_name[path], &run->checker.tally[path]);
		add(sum, &run->checker.tally[path]);
	}
	print_tally("all", sum);
}

static void print_settings(const struct options *options)
{
	printf("seed: %" PRIu64 "\n"
	       "setting: %s, %" PRIu64 " writers of 1 to %" PRIu64
	       " items, %" PRIu64 " readers by each path, %.3g s, region %s, "
	       "lease %s\n",
	       options->seed, options->is_faulty ? "faulty" : options->fabric,
	       options->writers, options->changes, options->readers,
	       (double)options->time_ns / NS_PER_S, options->memory,
	       options->lease);
}

static bool require(bool holds, const char *what)
{
	if (!holds)
		printf("this run shows too little: %s\n", what);
	return holds;
}

/* Whether the run was one in which something could have gone wrong. */
static bool shows_enough(const struct run *run, const struct tally *sum)
{
	bool enough = require(2 * sum->non_empty >= sum->searches,
			      "less than half of the answers are non-empty");
	enough &= require(sum->searches >= run->options.answers,
			  "there are fewer answers than were asked for");

	for (int path = 0; path < PATH_COUNT; path++) {
		const struct tally *tally = &run->checker.tally[path];
		if (!run->options.paths[path])
			continue;
		enough &= require(tally->searches > 0, "a path never answered");
		enough &= require(tally->nearest > 0,
				  "a path never found the nearest");
		enough &= require(path != PATH_COPY || tally->cached > 0,
				  "the cache answered nothing");
		enough &= require(path == PATH_MESSAGING ||
					  tally->by_messaging < tally->searches,
				  "all offloading ended in messaging");
	}
	enough &= require(run->stops == run->options.stops,
			  "the readers were not stopped as often");
	enough &= require(!run->options.fills || run->stage->refused > 0,
			  "the region was never full");
	enough &= require(!run->options.push_back || sum->pushed_back > 0,
			  "no search was left to a client");
	enough &= require(!run->stops || sum->lease_expiries > 0,
			  "no search was stopped in its middle");
	return enough & require(sum->overlapped > 0,
				"no search overlapped a publication");
}

static int report(const struct run *run)
{
	const struct checker *checker = &run->checker;
	struct tally sum = {0};

	print_settings(&run->options);
	print_tallies(run, &sum);
	printf("versions: %" PRIu64 " published, %" PRIu64
	       " of them answered from, %" PRIu64 " empty\n"
	       "writes: %" PRIu64 " inserts, %" PRIu64 " moves, %" PRIu64
	       " deletes in %" PRIu64 " requests; at most %" PRIu64 " items\n"
	       "stops of the readers: %" PRIu64 "\n"
	       "lease expiries of one search: at most %" PRIu64 "\n"
	       "wrong answers: %s\n",
	       checker->versions, checker->answered_versions, checker->emptied,
	       checker->inserts, checker->moves, checker->deletes,
	       checker->requests, checker->most_items, run->stops,
	       sum.most_expiries, checker->is_wrong ? "at least 1" : "0");
	if (checker->is_wrong || run->broken || sum.failed)
		return ANSWERS_WRONG;
	if (!run->all_pages_are_there) {
		printf("pages are lost\n");
		return ANSWERS_WRONG;
	}
	return shows_enough(run, &sum) ? 0 : SHOWN_TOO_LITTLE;
}
