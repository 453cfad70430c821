// Draws the Mandelbrot set: mandelbrot WIDTH HEIGHT ITERATIONS [RE IM [SPAN]]
//
// Writes /out/mandelbrot.png, with the point RE + IM i in the middle (-0.6 and 0 if not given) and
// SPAN (3.2) across its width, and prints one line of statistics. Points that stay bounded for
// ITERATIONS are black. The arithmetic is that of 64-bit floats without fused operations, so the
// picture is the same everywhere. The PNG has a palette and is not compressed.

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, FAILED = 1, USAGE = 2 };
enum { SIDE_MAX = 8192, ITERATIONS_MAX = 1000000, COLOURS = 256, STORED_MAX = 65535 };

static const char PATH[] = "/out/mandelbrot.png";

// A PNG chunk or a zlib stream in the making: what is written goes into the checksums too.
struct sink {
    FILE *file;
    uint32_t crc;
    uint32_t adler_a;
    uint32_t adler_b;
};

static uint32_t crc_of_byte[256];

static void prepare_crc(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? 0xedb88320u ^ crc >> 1 : crc >> 1;
        }
        crc_of_byte[i] = crc;
    }
}

static void put(struct sink *sink, const unsigned char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        sink->crc = crc_of_byte[(sink->crc ^ bytes[i]) & 255] ^ sink->crc >> 8;
    }
    fwrite(bytes, 1, len, sink->file);
}

static void big_endian(unsigned char bytes[4], uint32_t number) {
    for (int i = 0; i < 4; i++) {
        bytes[i] = (unsigned char)(number >> (24 - 8 * i));
    }
}

static void begin_chunk(struct sink *sink, const char *type, uint32_t len) {
    unsigned char bytes[4];
    big_endian(bytes, len);
    fwrite(bytes, 1, sizeof bytes, sink->file);
    sink->crc = 0xffffffffu;
    put(sink, (const unsigned char *)type, 4);
}

static void end_chunk(struct sink *sink) {
    unsigned char bytes[4];
    big_endian(bytes, sink->crc ^ 0xffffffffu);
    fwrite(bytes, 1, sizeof bytes, sink->file);
}

static void put_palette(struct sink *sink) {
    begin_chunk(sink, "PLTE", 3 * COLOURS);
    for (int i = 0; i < COLOURS; i++) {
        // From deep blue over white to orange; 0 is the set itself.
        unsigned char colour[3] = {
            (unsigned char)(i == 0 ? 0 : i < 128 ? i * 2 : 255),
            (unsigned char)(i == 0 ? 0 : i < 128 ? i * 2 : 255 - (i - 128)),
            (unsigned char)(i == 0 ? 0 : i < 128 ? 64 + i * 3 / 2 : 255 - (i - 128) * 2),
        };
        put(sink, colour, sizeof colour);
    }
    end_chunk(sink);
}

// The image data as a zlib stream of stored blocks.
static void put_image(struct sink *sink, const unsigned char *image, size_t size) {
    size_t blocks = (size + STORED_MAX - 1) / STORED_MAX;
    begin_chunk(sink, "IDAT", (uint32_t)(2 + 5 * blocks + size + 4));
    put(sink, (const unsigned char *)"\x78\x01", 2);
    for (size_t at = 0; at < size; at += STORED_MAX) {
        size_t len = size - at < STORED_MAX ? size - at : STORED_MAX;
        unsigned char head[5] = {
            at + len == size, (unsigned char)len,  (unsigned char)(len >> 8),
            (unsigned char)~len, (unsigned char)(~len >> 8),
        };
        put(sink, head, sizeof head);
        put(sink, image + at, len);
    }
    uint32_t a = 1;
    uint32_t b = 0;
    for (size_t i = 0; i < size; i++) {
        a = (a + image[i]) % 65521;
        b = (b + a) % 65521;
    }
    unsigned char adler[4];
    big_endian(adler, b << 16 | a);
    put(sink, adler, sizeof adler);
    end_chunk(sink);
}

static bool write_png(const unsigned char *image, uint32_t width, uint32_t height) {
    struct sink sink = {0};
    sink.file = fopen(PATH, "wb");
    if (sink.file == NULL) {
        return false;
    }
    prepare_crc();
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, sink.file);
    unsigned char header[13] = {0};
    big_endian(header, width);
    big_endian(header + 4, height);
    header[8] = 8; // bits
    header[9] = 3; // palette
    begin_chunk(&sink, "IHDR", sizeof header);
    put(&sink, header, sizeof header);
    end_chunk(&sink);
    put_palette(&sink);
    put_image(&sink, image, (size_t)height * (width + 1));
    begin_chunk(&sink, "IEND", 0);
    end_chunk(&sink);
    bool good = !ferror(sink.file);
    return fclose(sink.file) == 0 && good;
}

static uint32_t escape_time(double re, double im, uint32_t iterations) {
    double x = 0;
    double y = 0;
    for (uint32_t i = 0; i < iterations; i++) {
        double xx = x * x;
        double yy = y * y;
        if (xx + yy > 4) {
            return i;
        }
        y = 2 * x * y + im;
        x = xx - yy + re;
    }
    return iterations;
}

static bool parse_count(const char *text, uint32_t max, uint32_t *number) {
    char *end;
    unsigned long parsed = strtoul(text, &end, 10);
    *number = (uint32_t)parsed;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && parsed >= 1 && parsed <= max;
}

static bool parse_real(const char *text, double *number) {
    char *end;
    *number = strtod(text, &end);
    return end != text && *end == '\0' && *number > -1e6 && *number < 1e6;
}

static void print_count(const char *name, uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    fputs(name, stdout);
    fwrite(digits + at, 1, sizeof digits - at, stdout);
}

int main(int argc, char **argv) {
    uint32_t width, height, iterations;
    double re = -0.6, im = 0, span = 3.2;
    if ((argc != 4 && argc != 6 && argc != 7) || !parse_count(argv[1], SIDE_MAX, &width) ||
        !parse_count(argv[2], SIDE_MAX, &height) ||
        !parse_count(argv[3], ITERATIONS_MAX, &iterations) || (argc > 4 && !parse_real(argv[4], &re)) ||
        (argc > 4 && !parse_real(argv[5], &im)) ||
        (argc > 6 && (!parse_real(argv[6], &span) || span <= 0))) {
        fputs("usage: mandelbrot WIDTH HEIGHT ITERATIONS [RE IM [SPAN]]; sides up to 8192, "
              "iterations up to 1000000\n",
              stderr);
        return USAGE;
    }
    // Each row starts with a filter byte, 0 for none.
    unsigned char *image = calloc(height, width + 1);
    if (image == NULL) {
        fputs("mandelbrot: not enough memory for this size\n", stderr);
        return FAILED;
    }
    double step = span / width;
    uint64_t inside = 0, total = 0;
    for (uint32_t row = 0; row < height; row++) {
        for (uint32_t column = 0; column < width; column++) {
            double x = re + (column - width / 2.0) * step;
            double y = im + (height / 2.0 - row) * step;
            uint32_t time = escape_time(x, y, iterations);
            total += time;
            inside += time == iterations;
            image[(size_t)row * (width + 1) + 1 + column] =
                time == iterations ? 0 : (unsigned char)(1 + time % (COLOURS - 1));
        }
    }
    if (!write_png(image, width, height)) {
        fputs("mandelbrot: cannot write /out/mandelbrot.png\n", stderr);
        return FAILED;
    }
    print_count("", width);
    print_count("x", height);
    print_count(" inside=", inside);
    print_count(" iterations=", total);
    fputc('\n', stdout);
    return fflush(stdout) == 0 ? OK : FAILED;
}
