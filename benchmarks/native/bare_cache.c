#define _GNU_SOURCE
#include "bare_cache.h"
#include "bare_layout.h"

#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE (2ull << 20)
#define LEAF_BYTES (BARE_NODE_ENTRIES * sizeof(bare_slot))
#define INTERIOR_BYTES (BARE_NODE_ENTRIES * sizeof(uint64_t))

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

void *bare_map(uint64_t bytes)
{
    /* Mapped with room to spare, then trimmed: mmap itself promises no more than page alignment. */
    uint64_t size = round_up(bytes, HUGE_PAGE);
    uint8_t *raw = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) {
        return NULL;
    }

    uint8_t *aligned = (uint8_t *)round_up((uintptr_t)raw, HUGE_PAGE);
    uint64_t before = (uint64_t)(aligned - raw);
    if (before != 0) {
        munmap(raw, before);
    }
    if (before != HUGE_PAGE) {
        munmap(aligned + size, HUGE_PAGE - before);
    }

#ifdef MADV_HUGEPAGE
    (void)madvise(aligned, size, MADV_HUGEPAGE); /* a kernel without huge pages still serves, only slower */
#endif
    return aligned;
}

void bare_unmap(void *address, uint64_t bytes)
{
    if (address != NULL) {
        munmap(address, round_up(bytes, HUGE_PAGE));
    }
}

static void *new_node(bare_cache *cache, uint64_t bytes)
{
    if (cache->nodes_used + bytes > cache->nodes_bytes) {
        return NULL;
    }
    void *node = cache->nodes + cache->nodes_used;
    cache->nodes_used += bytes;
    return node;
}

bare_cache *bare_create(uint64_t page_count, void *frames)
{
    bare_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL) {
        return NULL;
    }

    uint64_t leaves = round_up(page_count, BARE_NODE_ENTRIES) / BARE_NODE_ENTRIES;
    uint64_t interiors = 0;
    uint64_t height = 0;
    for (uint64_t level = leaves; level > 1; height++) {
        level = round_up(level, BARE_NODE_ENTRIES) / BARE_NODE_ENTRIES;
        interiors += level;
    }

    cache->page_count = page_count;
    cache->frames = frames;
    cache->heads_bytes = (page_count + 1) * sizeof(bare_head); /* index zero stands for "no head" */
    cache->nodes_bytes = leaves * LEAF_BYTES + interiors * INTERIOR_BYTES;
    cache->heads = bare_map(cache->heads_bytes);
    cache->nodes = bare_map(cache->nodes_bytes);
    void *top = NULL;
    if (cache->heads != NULL && cache->nodes != NULL) {
        top = new_node(cache, height == 0 ? LEAF_BYTES : INTERIOR_BYTES);
    }
    if (top == NULL) {
        bare_destroy(cache);
        return NULL;
    }

    atomic_store_explicit(&cache->root, (uintptr_t)top | (height * BARE_NODE_BITS), memory_order_release);
    return cache;
}

int bare_load(bare_cache *cache, uint64_t page, uint32_t frame)
{
    if (page >= cache->page_count || frame >= cache->page_count) {
        return -1;
    }

    uint64_t root = atomic_load_explicit(&cache->root, memory_order_acquire);
    uint64_t node = root;
    for (uint64_t shift = root & BARE_SHIFT_MASK; shift > 0; shift -= BARE_NODE_BITS) {
        uint64_t *entry = (uint64_t *)(uintptr_t)(node & ~BARE_SHIFT_MASK) + ((page >> shift) & BARE_NODE_MASK);
        if (*entry == 0) {
            void *made = new_node(cache, shift == BARE_NODE_BITS ? LEAF_BYTES : INTERIOR_BYTES);
            if (made == NULL) {
                return -1;
            }
            *entry = (uintptr_t)made | (shift - BARE_NODE_BITS);
        }
        node = *entry;
    }

    uint32_t head = frame + 1;
    bare_slot *slot = (bare_slot *)(uintptr_t)node + (page & BARE_NODE_MASK);
    slot->frame = frame;
    slot->head = head;
    cache->heads[head].slot = slot;
    cache->heads[head].page = (int64_t)page;
    atomic_store_explicit(&slot->state, BARE_VERSION_ONE | BARE_UP_TO_DATE | BARE_ATTACHED, memory_order_release);
    return 0;
}

void bare_destroy(bare_cache *cache)
{
    if (cache != NULL) {
        bare_unmap(cache->heads, cache->heads_bytes);
        bare_unmap(cache->nodes, cache->nodes_bytes);
        free(cache);
    }
}
