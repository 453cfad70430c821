// Counts the words of a text: word-frequencies [-n N] [FILE]
//
// Reads FILE, or standard input without one, and prints a line "COUNT<TAB>WORD" for each word, the
// most frequent first and equals in order of their bytes; with -n the first N only.
//
// A word is a run of letters and digits; an apostrophe between two of them belongs to it. ASCII
// letters are lower-cased. Outside of ASCII every character counts as a letter, except the Latin-1
// signs (U+0080 to U+00BF without the ordinals and the micro sign) and general punctuation (U+2000
// to U+206F), such as dashes and quotation marks. It does not fold the case of other letters.

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, FAILED = 1, USAGE = 2 };

struct word {
    const char *text;
    size_t len;
    uint64_t count;
};

struct table {
    struct word *words; // a power of two, open addressing
    size_t capacity;
    size_t used;
};

static void fail(const char *what, const char *about) {
    fputs("word-frequencies: ", stderr);
    fputs(what, stderr);
    fputs(about, stderr);
    fputc('\n', stderr);
}

static size_t find(const struct table *table, const char *text, size_t len) {
    uint32_t hash = 2166136261u; // FNV-1a
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    }
    size_t at = hash & (table->capacity - 1);
    while (table->words[at].count != 0 &&
           (table->words[at].len != len || memcmp(table->words[at].text, text, len) != 0)) {
        at = (at + 1) & (table->capacity - 1);
    }
    return at;
}

static bool grow(struct table *table) {
    struct table larger = {NULL, table->capacity == 0 ? 1024 : table->capacity * 2, table->used};
    larger.words = calloc(larger.capacity, sizeof *larger.words);
    if (larger.words == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->words[i].count != 0) {
            larger.words[find(&larger, table->words[i].text, table->words[i].len)] = table->words[i];
        }
    }
    free(table->words);
    *table = larger;
    return true;
}

static bool count(struct table *table, const char *text, size_t len) {
    if (table->used * 2 >= table->capacity && !grow(table)) {
        return false;
    }
    struct word *word = &table->words[find(table, text, len)];
    if (word->count == 0) {
        word->text = text;
        word->len = len;
        table->used++;
    }
    word->count++;
    return true;
}

// Bytes of the letter or digit at text, 0 if there is none.
static size_t letter(const unsigned char *text, size_t left) {
    unsigned char first = text[0];
    if (first < 0x80) {
        return (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') ||
               (first >= '0' && first <= '9');
    }
    size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    for (size_t i = 1; i < len; i++) {
        if (len > left || (text[i] & 0xc0) != 0x80) {
            len = 1; // not UTF-8: kept as it is
        }
    }
    if (len == 1) {
        return 1;
    }
    if (first == 0xc2 && text[1] < 0xc0) {
        return text[1] == 0xaa || text[1] == 0xb5 || text[1] == 0xba ? 2 : 0;
    }
    if (first == 0xe2 && (text[1] == 0x80 || (text[1] == 0x81 && text[2] < 0xb0))) {
        return 0;
    }
    return len;
}

static size_t separator(const unsigned char *text, size_t left) {
    size_t len = text[0] >= 0xe0 ? 3 : text[0] >= 0xc0 ? 2 : 1;
    return len > left ? left : len;
}

static bool count_all(struct table *table, unsigned char *text, size_t size) {
    size_t at = 0;
    while (at < size) {
        size_t start = at;
        size_t len;
        while (at < size) {
            len = letter(text + at, size - at);
            bool inner = len == 0 && text[at] == '\'' && at > start && at + 1 < size &&
                         letter(text + at + 1, size - at - 1) > 0;
            if (len == 0 && !inner) {
                break;
            }
            if (text[at] >= 'A' && text[at] <= 'Z') {
                text[at] += 'a' - 'A';
            }
            at += inner ? 1 : len;
        }
        if (at > start) {
            if (!count(table, (const char *)text + start, at - start)) {
                return false;
            }
        } else {
            at += separator(text + at, size - at);
        }
    }
    return true;
}

static int by_count_then_text(const void *left, const void *right) {
    const struct word *a = left;
    const struct word *b = right;
    if (a->count != b->count) {
        return a->count < b->count ? 1 : -1;
    }
    int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static unsigned char *read_all(FILE *file, size_t *size) {
    size_t capacity = 64 * 1024;
    unsigned char *bytes = malloc(capacity);
    *size = 0;
    while (bytes != NULL) {
        size_t got = fread(bytes + *size, 1, capacity - *size, file);
        *size += got;
        if (got == 0) {
            break;
        }
        if (*size == capacity) {
            capacity *= 2;
            unsigned char *larger = realloc(bytes, capacity);
            if (larger == NULL) {
                free(bytes);
            }
            bytes = larger;
        }
    }
    return bytes;
}

static void print_number(uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    fwrite(digits + at, 1, sizeof digits - at, stdout);
}

int main(int argc, char **argv) {
    size_t limit = SIZE_MAX;
    const char *path = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-n") == 0 && i + 1 < argc) {
            char *end;
            unsigned long number = strtoul(argv[++i], &end, 10);
            if (argv[i][0] < '0' || argv[i][0] > '9' || *end != '\0') {
                fail("-n needs a number, not ", argv[i]);
                return USAGE;
            }
            limit = number;
        } else if (argv[i][0] != '-' && path == NULL) {
            path = argv[i];
        } else {
            fail("usage: word-frequencies [-n N] [FILE]; cannot use ", argv[i]);
            return USAGE;
        }
    }

    FILE *file = path == NULL ? stdin : fopen(path, "rb");
    if (file == NULL) {
        fail("cannot open ", path);
        return FAILED;
    }
    size_t size;
    unsigned char *text = read_all(file, &size);
    struct table table = {0};
    if (text == NULL || ferror(file) || !grow(&table) || !count_all(&table, text, size)) {
        fail("cannot read or keep ", path == NULL ? "standard input" : path);
        return FAILED;
    }

    size_t words = 0;
    for (size_t i = 0; i < table.capacity; i++) {
        if (table.words[i].count != 0) {
            table.words[words++] = table.words[i];
        }
    }
    qsort(table.words, words, sizeof *table.words, by_count_then_text);
    for (size_t i = 0; i < words && i < limit; i++) {
        print_number(table.words[i].count);
        fputc('\t', stdout);
        fwrite(table.words[i].text, 1, table.words[i].len, stdout);
        fputc('\n', stdout);
    }
    return fflush(stdout) == 0 ? OK : FAILED;
}
