// Prints the SHA-256 of files as sha256sum does: checksum [FILE]...
//
// Without arguments it takes all files under /in, in order of their paths. A file that cannot be
// read is reported, and the exit code is then 1. It does not escape unusual names, and checks no list.

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { OK = 0, FAILED = 1 };

// SHA-256 as in FIPS 180-4, whose names are used.
struct sha256 {
    uint32_t h[8];
    uint64_t bytes;
    unsigned char block[64];
};

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotr(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void compress(struct sha256 *sha) {
    uint32_t w[64];
    for (int t = 0; t < 16; t++) {
        const unsigned char *p = sha->block + 4 * t;
        w[t] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    for (int t = 16; t < 64; t++) {
        uint32_t s0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
        uint32_t s1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    uint32_t v[8];
    memcpy(v, sha->h, sizeof v);
    for (int t = 0; t < 64; t++) {
        uint32_t S1 = rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25);
        uint32_t ch = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t t1 = v[7] + S1 + ch + K[t] + w[t];
        uint32_t S0 = rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22);
        uint32_t maj = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + S0 + maj;
    }
    for (int i = 0; i < 8; i++) {
        sha->h[i] += v[i];
    }
}

static void update(struct sha256 *sha, const unsigned char *bytes, size_t len) {
    while (len > 0) {
        size_t filled = sha->bytes % 64;
        size_t part = len < 64 - filled ? len : 64 - filled;
        memcpy(sha->block + filled, bytes, part);
        sha->bytes += part;
        bytes += part;
        len -= part;
        if (sha->bytes % 64 == 0) {
            compress(sha);
        }
    }
}

static void finish(struct sha256 *sha, char hex[65]) {
    uint64_t bits = sha->bytes * 8;
    unsigned char length[8];
    for (int i = 0; i < 8; i++) {
        length[i] = (unsigned char)(bits >> (56 - 8 * i));
    }
    update(sha, (const unsigned char *)"\x80", 1);
    while (sha->bytes % 64 != 56) {
        update(sha, (const unsigned char *)"", 1);
    }
    update(sha, length, sizeof length);
    for (int i = 0; i < 64; i++) {
        hex[i] = "0123456789abcdef"[sha->h[i / 8] >> (28 - 4 * (i % 8)) & 15];
    }
    hex[64] = '\0';
}

static void complain(const char *path) {
    fputs("checksum: cannot read ", stderr);
    fputs(path, stderr);
    fputc('\n', stderr);
}

static bool print_file(const char *path) {
    static unsigned char buffer[64 * 1024];
    struct sha256 sha = {{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
                          0x1f83d9ab, 0x5be0cd19},
                         0,
                         {0}};
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        complain(path);
        return false;
    }
    size_t got;
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0) {
        update(&sha, buffer, got);
    }
    bool read = !ferror(file);
    fclose(file);
    if (!read) {
        complain(path);
        return false;
    }
    char hex[65];
    finish(&sha, hex);
    fputs(hex, stdout);
    fputs("  ", stdout);
    fputs(path, stdout);
    fputc('\n', stdout);
    return true;
}

struct paths {
    char **items;
    size_t count;
    size_t capacity;
};

static bool add(struct paths *paths, const char *directory, const char *name) {
    if (paths->count == paths->capacity) {
        size_t capacity = paths->capacity == 0 ? 64 : paths->capacity * 2;
        char **items = realloc(paths->items, capacity * sizeof *items);
        if (items == NULL) {
            return false;
        }
        paths->items = items;
        paths->capacity = capacity;
    }
    char *path = malloc(strlen(directory) + strlen(name) + 2);
    if (path == NULL) {
        return false;
    }
    strcpy(path, directory);
    strcat(path, "/");
    strcat(path, name);
    paths->items[paths->count++] = path;
    return true;
}

// Adds the files under the directory. Directories are found on the way as paths, and replaced by
// what is in them.
static bool list(struct paths *files, const char *root) {
    struct paths pending = {0};
    if (!add(&pending, root, ".")) {
        return false;
    }
    strcpy(pending.items[0], root);
    while (pending.count > 0) {
        char *path = pending.items[--pending.count];
        DIR *directory = opendir(path);
        if (directory == NULL) {
            complain(path);
            return false;
        }
        struct dirent *entry;
        while ((entry = readdir(directory)) != NULL) {
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
                continue;
            }
            if (!add(entry->d_type == DT_DIR ? &pending : files, path, entry->d_name)) {
                return false;
            }
        }
        closedir(directory);
        free(path);
    }
    free(pending.items);
    return true;
}

static int by_text(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

int main(int argc, char **argv) {
    bool good = true;
    for (int i = 1; i < argc; i++) {
        good = print_file(argv[i]) && good;
    }
    if (argc < 2) {
        struct paths files = {0};
        good = list(&files, "/in");
        qsort(files.items, files.count, sizeof *files.items, by_text);
        for (size_t i = 0; i < files.count; i++) {
            good = print_file(files.items[i]) && good;
        }
    }
    return fflush(stdout) == 0 && good ? OK : FAILED;
}
