/* Records what a process does to the files below one directory: preloaded before the C library, it
 * writes a log from which a test rebuilds what a disk may hold after a power cut. It changes nothing
 * of what the process does. It does not see writes through mapped memory, and sees what system calls
 * past the C library do to a directory only when the directory is synced.
 *
 * ICN_RECORD_DIR   the directory, absolute
 * ICN_RECORD_LOG   the log, appended to
 *
 * A record: kind (8 bytes), inode, offset, length of data, length of path, length of second path
 * (8 bytes each, in this machine's order), path, second path, data.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CREATE = 1, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, RENAME, UNLINK, MKDIR, RMDIR, LINK, LISTING };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static int log_fd = -1;
static uint64_t syncs;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void start(void) {
    const char *dir = getenv("ICN_RECORD_DIR"), *log = getenv("ICN_RECORD_LOG");
    if (!dir || !log) return;
    snprintf(root, sizeof root, "%s/", dir);
    log_fd = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) _exit(97);
}

static int is_below(const char *path) {
    return log_fd >= 0 && strncmp(path, root, strlen(root)) == 0;
}

static void record(uint64_t kind, uint64_t inode, uint64_t offset, const char *path, const char *second,
                   const void *data, uint64_t length) {
    uint64_t head[6] = {kind, inode, offset, length, strlen(path), strlen(second)};
    struct iovec parts[4] = {{head, sizeof head},
                             {(void *)path, head[4]},
                             {(void *)second, head[5]},
                             {(void *)data, length}};
    size_t total = sizeof head + head[4] + head[5] + length;
    pthread_mutex_lock(&lock);
    /* A log with a hole is worse than none. */
    if (REAL(writev)(log_fd, parts, 4) != (ssize_t)total) _exit(98);
    pthread_mutex_unlock(&lock);
}

/* The inode of an open file below the root, or 0. */
static uint64_t inode_of(int fd) {
    char link[64], path[PATH_MAX];
    struct stat status;
    if (log_fd < 0 || fd == log_fd) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    strcat(path, length < PATH_MAX - 2 ? "/" : "");
    if (!is_below(path) || fstat(fd, &status) != 0) return 0;
    return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? status.st_ino : 0;
}

static const char *absolute(int dir, const char *path, char *out) {
    char link[64];
    ssize_t length;
    if (path[0] == '/') return path;
    if (dir == AT_FDCWD) {
        length = getcwd(out, PATH_MAX) ? (ssize_t)strlen(out) : -1;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        length = readlink(link, out, PATH_MAX - 1);
    }
    if (length < 0) return "";
    snprintf(out + length, PATH_MAX - length, "/%s", path);
    return out;
}

static int opened(int fd, const char *path, int flags, int was_there) {
    struct stat status;
    int saved = errno;
    if (fd >= 0 && is_below(path) && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        if (!was_there) record(CREATE, status.st_ino, 0, path, "", "", 0);
        else if (flags & O_TRUNC) record(TRUNCATE, status.st_ino, 0, "", "", "", 0);
    }
    errno = saved;
    return fd;
}

#define OPEN(name)                                                             \
    int name(const char *path, int flags, ...) {                               \
        char out[PATH_MAX];                                                    \
        va_list args;                                                          \
        va_start(args, flags);                                                 \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;\
        va_end(args);                                                          \
        const char *full = absolute(AT_FDCWD, path, out);                      \
        int was_there = access(full, F_OK) == 0;                               \
        return opened(REAL(name)(path, flags, mode), full, flags, was_there);  \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                           \
    int name(int dir, const char *path, int flags, ...) {                      \
        char out[PATH_MAX];                                                    \
        va_list args;                                                          \
        va_start(args, flags);                                                 \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;\
        va_end(args);                                                          \
        const char *full = absolute(dir, path, out);                           \
        int was_there = access(full, F_OK) == 0;                               \
        return opened(REAL(name)(dir, path, flags, mode), full, flags, was_there); \
    }
OPENAT(openat)
OPENAT(openat64)

static void written(int fd, const void *data, ssize_t length, off_t offset) {
    int saved = errno;
    uint64_t inode = length > 0 ? inode_of(fd) : 0;
    if (inode) {
        if (offset < 0) offset = lseek(fd, 0, SEEK_CUR) - length;
        record(WRITE, inode, offset, "", "", data, length);
    }
    errno = saved;
}

ssize_t write(int fd, const void *data, size_t size) {
    ssize_t length = REAL(write)(fd, data, size);
    written(fd, data, length, -1);
    return length;
}

#define PWRITE(name, offset_type)                                              \
    ssize_t name(int fd, const void *data, size_t size, offset_type offset) {  \
        ssize_t length = REAL(name)(fd, data, size, offset);                   \
        written(fd, data, length, offset);                                     \
        return length;                                                         \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *parts, int count) {
    ssize_t length = REAL(writev)(fd, parts, count);
    if (length > 0 && inode_of(fd)) {
        off_t offset = lseek(fd, 0, SEEK_CUR) - length;
        for (ssize_t left = length; left > 0; parts++) {
            ssize_t part = (ssize_t)parts->iov_len < left ? (ssize_t)parts->iov_len : left;
            written(fd, parts->iov_base, part, offset);
            offset += part;
            left -= part;
        }
    }
    return length;
}

#define TRUNCATE_TO(name, offset_type)                                         \
    int name(int fd, offset_type length) {                                     \
        int outcome = REAL(name)(fd, length);                                  \
        uint64_t inode = outcome == 0 ? inode_of(fd) : 0;                      \
        if (inode) record(TRUNCATE, inode, length, "", "", "", 0);             \
        return outcome;                                                        \
    }
TRUNCATE_TO(ftruncate, off_t)
TRUNCATE_TO(ftruncate64, off64_t)

/* What a directory holds: a line with inode and name for each file. */
static void list(int fd, uint64_t inode) {
    char link[64], path[PATH_MAX], *text = NULL;
    size_t length = 0;
    struct dirent *entry;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t end = readlink(link, path, sizeof path - 1);
    DIR *dir = end < 0 ? NULL : opendir(link);
    FILE *out = open_memstream(&text, &length);
    if (!dir || !out) _exit(99);
    path[end] = 0;
    while ((entry = readdir(dir)))
        if (entry->d_type == DT_REG) fprintf(out, "%llu %s\n", (unsigned long long)entry->d_ino, entry->d_name);
    closedir(dir);
    fclose(out);
    record(LISTING, inode, 0, path, "", text, length);
    free(text);
}

#define SYNC(name)                                                             \
    int name(int fd) {                                                         \
        uint64_t inode = inode_of(fd), id = __sync_add_and_fetch(&syncs, 1);   \
        struct stat status;                                                    \
        if (inode && fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) list(fd, inode); \
        if (inode) record(SYNC_BEGIN, inode, id, "", "", "", 0);               \
        int outcome = REAL(name)(fd);                                          \
        if (inode && outcome == 0) record(SYNC_END, inode, id, "", "", "", 0); \
        return outcome;                                                        \
    }
SYNC(fsync)
SYNC(fdatasync)

static int moved(int outcome, uint64_t kind, const char *path, const char *second) {
    if (outcome == 0 && is_below(path)) record(kind, 0, 0, path, second, "", 0);
    return outcome;
}

int rename(const char *from, const char *to) {
    char out[PATH_MAX], out_to[PATH_MAX];
    const char *full = absolute(AT_FDCWD, from, out), *full_to = absolute(AT_FDCWD, to, out_to);
    return moved(REAL(rename)(from, to), RENAME, full, full_to);
}

int renameat(int dir, const char *from, int dir_to, const char *to) {
    char out[PATH_MAX], out_to[PATH_MAX];
    const char *full = absolute(dir, from, out), *full_to = absolute(dir_to, to, out_to);
    return moved(REAL(renameat)(dir, from, dir_to, to), RENAME, full, full_to);
}

int link(const char *from, const char *to) {
    char out[PATH_MAX], out_to[PATH_MAX];
    const char *full = absolute(AT_FDCWD, from, out), *full_to = absolute(AT_FDCWD, to, out_to);
    return moved(REAL(link)(from, to), LINK, full, full_to);
}

int unlink(const char *path) {
    char out[PATH_MAX];
    return moved(REAL(unlink)(path), UNLINK, absolute(AT_FDCWD, path, out), "");
}

int unlinkat(int dir, const char *path, int flags) {
    char out[PATH_MAX];
    const char *full = absolute(dir, path, out);
    return moved(REAL(unlinkat)(dir, path, flags), flags & AT_REMOVEDIR ? RMDIR : UNLINK, full, "");
}

int rmdir(const char *path) {
    char out[PATH_MAX];
    return moved(REAL(rmdir)(path), RMDIR, absolute(AT_FDCWD, path, out), "");
}

int mkdir(const char *path, mode_t mode) {
    char out[PATH_MAX];
    return moved(REAL(mkdir)(path, mode), MKDIR, absolute(AT_FDCWD, path, out), "");
}
