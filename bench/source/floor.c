/* The floors: what the same work costs with system calls and nothing else.
 *
 *   floor pipes SIZE N     messages to another process and back, blocking
 *   floor together SIZE N  the same, both processes on one CPU
 *   floor apart SIZE N     the same, each on a CPU of its own
 *   floor awake SIZE N     the same, each side reads again and again for up to
 *                          50 us before it blocks
 *   floor memory SIZE N    through memory that both map, with a byte through a
 *                          pipe to say that a message is there
 *   floor stream SIZE N    messages to this process from another one, one write each
 *   floor spawn DEPTH N    /bin/true, DEPTH at a time
 *   floor start PROGRAM N  a program, to the first byte that it writes
 *
 * Each prints a line of JSON, in seconds and numbers per second.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
	AWAKE_NS = 50000,
	WIDE = 1 << 20,
	WARM = 10, /* laps that let the other process begin, and do not count */
};

static int awake; /* 1 = read again and again before blocking */
static int apart; /* 1 = the other process is on the next CPU, if there is one */

static void fail(const char *what) {
	perror(what);
	exit(1);
}

static long long now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* get reads a whole message; 0 says that there are no more. */
static int get(int fd, char *buf, size_t size) {
	size_t n = 0;
	long long since = 0;
	while (n < size) {
		ssize_t m = read(fd, buf + n, size - n);
		if (m > 0) {
			n += m;
			since = 0;
		} else if (m == 0) {
			return 0;
		} else if (errno != EAGAIN) {
			fail("read");
		} else if (since == 0) {
			since = now();
		} else if (now() - since > AWAKE_NS) {
			struct pollfd p = {fd, POLLIN, 0};
			if (poll(&p, 1, -1) < 0) fail("poll");
			since = 0;
		}
	}
	return 1;
}

static void put(int fd, const char *buf, size_t size) {
	for (size_t n = 0; n < size;) {
		ssize_t m = write(fd, buf + n, size - n);
		if (m < 0) fail("write");
		n += m;
	}
}

static void conduit(int ends[2]) {
	if (pipe2(ends, O_CLOEXEC) < 0) fail("pipe2");
	fcntl(ends[1], F_SETPIPE_SZ, WIDE); /* as large as this project's; less will do */
	if (awake && fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) fail("fcntl");
}

static int ascending(const void *a, const void *b) {
	long long d = *(const long long *)a - *(const long long *)b;
	return d < 0 ? -1 : d > 0;
}

static void print_laps(long long *laps, int n) {
	qsort(laps, n, sizeof *laps, ascending);
	int p99 = (long long)n * 99 / 100;
	printf("{\"p50\": %.9f, \"p99\": %.9f}\n", laps[n / 2] / 1e9, laps[p99 < n ? p99 : n - 1] / 1e9);
}

static void print_rate(int n, long long took) {
	printf("{\"rate\": %.3f, \"wall\": %.9f}\n", n / (took / 1e9), took / 1e9);
}

static long long *new_laps(int n) {
	long long *laps = malloc(n * sizeof *laps);
	if (!laps) fail("malloc");
	return laps;
}

static char *new_buffer(size_t size) {
	char *b = malloc(size);
	if (!b) fail("malloc");
	memset(b, 'x', size);
	return b;
}

/* pin keeps this process on the nth of the CPUs that it may use, or on the last. */
static void pin(int n) {
	static cpu_set_t all; /* those of the beginning */
	cpu_set_t one;
	int last = 0;
	if (!CPU_COUNT(&all) && sched_getaffinity(0, sizeof all, &all) < 0) fail("sched_getaffinity");
	for (int cpu = 0; cpu < CPU_SETSIZE && n >= 0; cpu++) {
		if (CPU_ISSET(cpu, &all)) {
			last = cpu;
			n--;
		}
	}
	CPU_ZERO(&one);
	CPU_SET(last, &one);
	if (sched_setaffinity(0, sizeof one, &one) < 0) fail("sched_setaffinity");
}

static void echo(size_t size, int n) {
	int there[2], back[2];
	conduit(there);
	conduit(back);
	char *buf = new_buffer(size);
	pid_t pid = fork();
	if (pid < 0) fail("fork");
	if (pid == 0) {
		if (apart) pin(1);
		close(there[1]);
		close(back[0]);
		while (get(there[0], buf, size)) put(back[1], buf, size);
		_exit(0);
	}
	close(there[0]);
	close(back[1]);
	long long *laps = new_laps(n);
	for (int i = -WARM; i < n; i++) {
		long long start = now();
		put(there[1], buf, size);
		if (!get(back[0], buf, size)) fail("the other process has ended");
		if (i >= 0) laps[i] = now() - start;
	}
	close(there[1]);
	waitpid(pid, NULL, 0);
	print_laps(laps, n);
}

/* Each side copies a message into the memory and out of it: as many copies as
 * pipes make, but by the processes themselves. */
static void memory(size_t size, int n) {
	int there[2], back[2];
	conduit(there);
	conduit(back);
	int fd = memfd_create("floor", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 2 * size) < 0) fail("memfd_create");
	char *shared = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (shared == MAP_FAILED) fail("mmap");
	char *buf = new_buffer(size), bell = 0;
	pid_t pid = fork();
	if (pid < 0) fail("fork");
	if (pid == 0) {
		close(there[1]);
		close(back[0]);
		while (get(there[0], &bell, 1)) {
			memcpy(buf, shared, size);
			memcpy(shared + size, buf, size);
			put(back[1], &bell, 1);
		}
		_exit(0);
	}
	close(there[0]);
	close(back[1]);
	long long *laps = new_laps(n);
	for (int i = -WARM; i < n; i++) {
		long long start = now();
		memcpy(shared, buf, size);
		put(there[1], &bell, 1);
		if (!get(back[0], &bell, 1)) fail("the other process has ended");
		memcpy(buf, shared + size, size);
		if (i >= 0) laps[i] = now() - start;
	}
	close(there[1]);
	waitpid(pid, NULL, 0);
	print_laps(laps, n);
}

static void stream(size_t size, int n) {
	int ends[2];
	conduit(ends);
	char *buf = new_buffer(size);
	pid_t pid = fork();
	if (pid < 0) fail("fork");
	if (pid == 0) {
		close(ends[0]);
		for (int i = 0; i < n; i++) put(ends[1], buf, size);
		_exit(0);
	}
	close(ends[1]);
	char *in = new_buffer(64 << 10);
	long long start = now(), left = (long long)n * size;
	while (left > 0) {
		ssize_t m = read(ends[0], in, 64 << 10);
		if (m <= 0) fail("read");
		left -= m;
	}
	print_rate(n, now() - start);
	waitpid(pid, NULL, 0);
}

static void spawn(int depth, int n) {
	char *argv[] = {"/bin/true", NULL};
	int begun = 0, ended = 0;
	long long start = now();
	while (ended < n) {
		while (begun < n && begun - ended < depth) {
			pid_t pid;
			errno = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
			if (errno) fail(argv[0]);
			begun++;
		}
		if (wait(NULL) < 0) fail("wait");
		ended++;
	}
	print_rate(n, now() - start);
}

static void start(int n, char *program) {
	long long *laps = new_laps(n);
	char *argv[] = {program, NULL}, byte;
	for (int i = 0; i < n; i++) {
		int ends[2];
		pid_t pid;
		posix_spawn_file_actions_t files;
		long long since = now();
		conduit(ends);
		posix_spawn_file_actions_init(&files);
		posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
		posix_spawn_file_actions_adddup2(&files, ends[1], 1);
		errno = posix_spawn(&pid, program, &files, NULL, argv, environ);
		if (errno) fail(program);
		close(ends[1]);
		if (!get(ends[0], &byte, 1)) fail("the program has said nothing");
		laps[i] = now() - since;
		close(ends[0]);
		posix_spawn_file_actions_destroy(&files);
		waitpid(pid, NULL, 0);
	}
	print_laps(laps, n);
}

int main(int argc, char **argv) {
	if (argc != 4) {
		fputs("usage: floor WORK SIZE N\n", stderr);
		return 2;
	}
	const char *work = argv[1];
	int first = atoi(argv[2]), second = atoi(argv[3]);
	if (second < 1) return 2;
	if (!strcmp(work, "start")) return start(second, argv[2]), 0;
	if (first < 1) return 2;
	if (!strcmp(work, "pipes")) return echo(first, second), 0;
	if (!strcmp(work, "together")) return pin(0), echo(first, second), 0;
	if (!strcmp(work, "apart")) return apart = 1, pin(0), echo(first, second), 0;
	if (!strcmp(work, "awake")) return awake = 1, echo(first, second), 0;
	if (!strcmp(work, "memory")) return memory(first, second), 0;
	if (!strcmp(work, "stream")) return stream(first, second), 0;
	if (!strcmp(work, "spawn")) return spawn(first, second), 0;
	fprintf(stderr, "floor: no work %s\n", work);
	return 2;
}
