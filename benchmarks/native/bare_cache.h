/*
 * The bare baseline: the slot layout, the look-up and the leases of StorageCache in plain C, and nothing else.
 *
 * Every page is resident from the start and nothing is ever evicted, so the loops below hold what a hit cannot do
 * without: the walk, the latch word, the bytes. There are no counters, no re-check of the walk, no time-outs and no
 * wait lists; a lease that cannot be had is tried again. What the managed cache costs on top of this is the price of
 * being a cache.
 */
#ifndef STORAGECACHE_BARE_CACHE_H
#define STORAGECACHE_BARE_CACHE_H

#include <stdint.h>

#define BARE_PAGE_SHIFT 12 /* pages of 4 KiB */

typedef struct bare_cache bare_cache;

/*
 * Makes a cache of page_count pages. frames is page_count << BARE_PAGE_SHIFT bytes, page-aligned, and stays the
 * caller's. Returns NULL when memory is short.
 */
bare_cache *bare_create(uint64_t page_count, void *frames);

/* Makes a page resident in a frame. Returns 0, or -1 when memory is short or a number is out of range. */
int bare_load(bare_cache *cache, uint64_t page, uint32_t frame);

void bare_destroy(bare_cache *cache);

/* Maps zeroed memory aligned to 2 MiB, in huge pages where they can be had. Returns NULL when memory is short. */
void *bare_map(uint64_t bytes);

void bare_unmap(void *address, uint64_t bytes);

/*
 * The measured loops. Each takes a lease on pages[0..count), one after the other, reads the first 8 bytes of the page
 * under it (bare_write_lease writes the page's number there instead), and gives the lease back.
 * Returns the sum of what was read or written.
 */
uint64_t bare_read_lease(bare_cache *cache, const int32_t *pages, int64_t count);
uint64_t bare_write_lease(bare_cache *cache, const int32_t *pages, int64_t count);
uint64_t bare_pin(bare_cache *cache, const int32_t *pages, int64_t count);
uint64_t bare_optimistic(bare_cache *cache, const int32_t *pages, int64_t count);

#endif
