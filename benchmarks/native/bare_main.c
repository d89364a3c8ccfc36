/*
 * Measures the bare loops on their own, without .NET: uniform page choice, one thread.
 * For a profiler; the workload `hit` runs the same loops in turn with the managed cache.
 */
#define _GNU_SOURCE
#include "bare_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef uint64_t (*loop)(bare_cache *, const int32_t *, int64_t);

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

int main(int argc, char **argv)
{
    uint64_t page_count = argc > 1 ? strtoull(argv[1], NULL, 10) : 262144;
    int64_t operations = argc > 2 ? strtoll(argv[2], NULL, 10) : 4000000;
    if (page_count == 0 || page_count > INT32_MAX || operations <= 0) {
        fprintf(stderr, "usage: %s [pages] [operations]\n", argv[0]);
        return 1;
    }

    uint64_t frames_bytes = page_count << BARE_PAGE_SHIFT;
    uint8_t *frames = bare_map(frames_bytes);
    bare_cache *cache = frames == NULL ? NULL : bare_create(page_count, frames);
    int32_t *pages = malloc((size_t)operations * sizeof(*pages));
    if (cache == NULL || pages == NULL) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }

    for (uint64_t page = 0; page < page_count; page++) {
        *(uint64_t *)(frames + (page << BARE_PAGE_SHIFT)) = page;
        if (bare_load(cache, page, (uint32_t)page) != 0) {
            fprintf(stderr, "page %llu could not be loaded\n", (unsigned long long)page);
            return 1;
        }
    }

    uint64_t expected = 0;
    uint64_t seed = 1;
    for (int64_t i = 0; i < operations; i++) {
        pages[i] = (int32_t)(next_random(&seed) % page_count);
        expected += (uint64_t)pages[i];
    }

    static const struct {
        const char *name;
        loop run;
    } loops[] = {
        { "read_lease", bare_read_lease },
        { "write_lease", bare_write_lease },
        { "pin", bare_pin },
        { "optimistic", bare_optimistic },
    };
    for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
        (void)loops[i].run(cache, pages, operations / 8); /* warms the caches and sets the sticky bits */
        double start = now_ns();
        uint64_t sum = loops[i].run(cache, pages, operations);
        double elapsed = now_ns() - start;
        if (sum != expected) {
            fprintf(stderr, "%s read the wrong bytes\n", loops[i].name);
            return 1;
        }
        printf("%-12s %8.1f ns\n", loops[i].name, elapsed / (double)operations);
    }

    free(pages);
    bare_destroy(cache);
    bare_unmap(frames, frames_bytes);
    return 0;
}
