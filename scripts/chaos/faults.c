/* Gives one process a slow disk or a wrong clock, for tests: a library that it is started with.
 *
 *     cc -shared -fPIC -O2 -o faults.so scripts/chaos/faults.c -ldl
 *     CHAOS_FAULTS=FILE LD_PRELOAD=./faults.so PROGRAM ...
 *
 * FILE holds two integers of 64 bits in the machine's order, which may change while the process runs: milliseconds that
 * each fsync and fdatasync takes longer, and milliseconds that the clock is ahead (behind, if negative). Clocks that only
 * run forward, as CLOCK_MONOTONIC does, are left alone: spans and timeouts stay right. What the kernel does for the process
 * without these calls (io_uring, msync) is not delayed; icn-node does not use it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct faults {
    volatile int64_t sync_delay_ms;
    volatile int64_t clock_ahead_ms;
};

static const struct faults *faults;
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("CHAOS_FAULTS");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *place = mmap(NULL, sizeof(struct faults), PROT_READ, MAP_SHARED, file, 0);
    if (place != MAP_FAILED)
        faults = place;
    close(file);
}

static void delay(void) {
    int64_t ms = faults ? faults->sync_delay_ms : 0;
    if (ms <= 0)
        return;
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    int before = errno;
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
    errno = before;
}

int fsync(int file) {
    delay();
    return real_fsync(file);
}

int fdatasync(int file) {
    delay();
    return real_fdatasync(file);
}

static void shift(struct timespec *at) {
    int64_t ms = faults ? faults->clock_ahead_ms : 0;
    at->tv_sec += ms / 1000;
    at->tv_nsec += ms % 1000 * 1000000;
    if (at->tv_nsec < 0) {
        at->tv_nsec += 1000000000;
        at->tv_sec -= 1;
    } else if (at->tv_nsec >= 1000000000) {
        at->tv_nsec -= 1000000000;
        at->tv_sec += 1;
    }
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    if (!real_clock_gettime)
        begin();
    int done = real_clock_gettime(clock, at);
    if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        shift(at);
    return done;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return (time_t)-1;
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}
