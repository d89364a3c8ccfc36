/*
 * The measured loops. They are as short as the protocol allows: bases are held in registers, a state word is read
 * once and settled by one interlocked operation, and what must be tested is tested with one mask.
 */
#include "bare_cache.h"
#include "bare_layout.h"

#include <stdbool.h>
#include <stddef.h>

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#define always_inline inline __attribute__((always_inline))

#if defined(__x86_64__)
#define relax() __builtin_ia32_pause()
#else
#define relax() atomic_signal_fence(memory_order_seq_cst)
#endif

static always_inline bare_slot *find(bare_cache *cache, uint64_t page)
{
    uint64_t node = atomic_load_explicit(&cache->root, memory_order_acquire);
    uint64_t shift = node & BARE_SHIFT_MASK;
    if (unlikely(page >> (shift + BARE_NODE_BITS) != 0)) {
        return NULL;
    }

    while (shift != 0) {
        _Atomic uint64_t *entries = (_Atomic uint64_t *)(uintptr_t)(node & ~BARE_SHIFT_MASK);
        node = atomic_load_explicit(&entries[(page >> shift) & BARE_NODE_MASK], memory_order_acquire);
        shift = node & BARE_SHIFT_MASK;
    }

    return unlikely(node == 0) ? NULL : (bare_slot *)(uintptr_t)node + (page & BARE_NODE_MASK);
}

static always_inline uint8_t *bytes_of(uint8_t *frames, const bare_slot *slot)
{
    return frames + ((uint64_t)slot->frame << BARE_PAGE_SHIFT);
}

static always_inline uint64_t read_8(const uint8_t *bytes)
{
    return *(const uint64_t *)bytes;
}

static always_inline bool try_lock_shared(bare_slot *slot)
{
    uint64_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
    const uint64_t refused = BARE_EXCLUSIVE | BARE_HAS_WAITERS | BARE_SHARED_FULL;
    while (likely((state & (refused | BARE_UP_TO_DATE)) == BARE_UP_TO_DATE)) {
        if (likely(atomic_compare_exchange_weak_explicit(&slot->state, &state, (state + 1) | BARE_REFERENCED,
                                                         memory_order_acq_rel, memory_order_acquire))) {
            return true;
        }
    }
    return false;
}

static always_inline bool try_lock_exclusive(bare_slot *slot)
{
    const uint64_t refused = BARE_EXCLUSIVE | BARE_HAS_WAITERS | BARE_PROTECTED | BARE_SHARED_MASK;
    uint64_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
    while (likely((state & (refused | BARE_UP_TO_DATE)) == BARE_UP_TO_DATE)) {
        if (likely(atomic_compare_exchange_weak_explicit(&slot->state, &state, state | BARE_EXCLUSIVE | BARE_REFERENCED,
                                                         memory_order_acq_rel, memory_order_acquire))) {
            return true;
        }
    }
    return false;
}

/* Stands where the managed cache looks at the wait list; never reached, but the test of the flag must stay. */
static __attribute__((noinline, cold)) void wake(bare_slot *slot)
{
    (void)atomic_fetch_and_explicit(&slot->state, ~BARE_HAS_WAITERS, memory_order_acq_rel);
}

uint64_t bare_read_lease(bare_cache *cache, const int32_t *pages, int64_t count)
{
    uint8_t *frames = cache->frames;
    uint64_t sum = 0;
    for (int64_t i = 0; i < count; i++) {
        bare_slot *slot = find(cache, (uint32_t)pages[i]);
        if (unlikely(slot == NULL)) {
            continue;
        }
        while (unlikely(!try_lock_shared(slot))) {
            relax();
        }

        sum += read_8(bytes_of(frames, slot));

        uint64_t after = atomic_fetch_sub_explicit(&slot->state, 1, memory_order_release) - 1;
        if (unlikely((after & (BARE_HAS_WAITERS | BARE_SHARED_UNDERFLOW)) != 0)) {
            wake(slot);
        }
    }
    return sum;
}

uint64_t bare_write_lease(bare_cache *cache, const int32_t *pages, int64_t count)
{
    uint8_t *frames = cache->frames;
    uint64_t sum = 0;
    for (int64_t i = 0; i < count; i++) {
        uint64_t page = (uint32_t)pages[i];
        bare_slot *slot = find(cache, page);
        if (unlikely(slot == NULL)) {
            continue;
        }
        while (unlikely(!try_lock_exclusive(slot))) {
            relax();
        }

        *(uint64_t *)bytes_of(frames, slot) = page;
        sum += page;

        uint64_t before =
            atomic_fetch_add_explicit(&slot->state, BARE_VERSION_ONE - BARE_EXCLUSIVE, memory_order_release);
        if (unlikely((before & BARE_HAS_WAITERS) != 0)) {
            wake(slot);
        }
    }
    return sum;
}

static always_inline bool try_read_optimistic(bare_slot *slot, uint8_t *frames, uint64_t *value)
{
    uint64_t before = atomic_load_explicit(&slot->state, memory_order_acquire);
    if (unlikely((before & (BARE_UP_TO_DATE | BARE_EXCLUSIVE)) != BARE_UP_TO_DATE)) {
        return false;
    }
    if (unlikely((before & BARE_REFERENCE_MASK) == 0)) {
        uint64_t expected = before;
        (void)atomic_compare_exchange_strong_explicit(&slot->state, &expected, before | BARE_REFERENCED,
                                                      memory_order_relaxed, memory_order_relaxed);
    }

    *value = read_8(bytes_of(frames, slot));

    atomic_thread_fence(memory_order_acquire);
    uint64_t after = atomic_load_explicit(&slot->state, memory_order_relaxed);
    return likely(((before ^ after) & (BARE_VERSION_MASK | BARE_UP_TO_DATE)) == 0 && (after & BARE_EXCLUSIVE) == 0);
}

/* The first pin of a page sets the bit, and it stays: a pin of a pinned page writes to the head alone. */
static always_inline bool try_set_pinned(bare_slot *slot, uint64_t state)
{
    while ((state & (BARE_UP_TO_DATE | BARE_LIST_LOCK)) == BARE_UP_TO_DATE) {
        if ((state & BARE_PINNED) != 0
            || atomic_compare_exchange_weak_explicit(&slot->state, &state, state | BARE_PINNED | BARE_REFERENCED,
                                                     memory_order_acq_rel, memory_order_acquire)) {
            return true;
        }
    }
    return false;
}

static always_inline bool try_pin(bare_slot *slot, bare_head *heads, bare_head **pinned)
{
    const uint64_t needed = BARE_PINNED | BARE_UP_TO_DATE;
    uint64_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
    if (unlikely((state & needed) != needed) && !try_set_pinned(slot, state)) {
        return false;
    }

    bare_head *head = &heads[slot->head];
    (void)atomic_fetch_add_explicit(&head->pins, 1, memory_order_acq_rel);
    state = atomic_load_explicit(&slot->state, memory_order_acquire);
    if (unlikely((state & needed) != needed)) {
        (void)atomic_fetch_sub_explicit(&head->pins, 1, memory_order_acq_rel);
        return false;
    }

    *pinned = head;
    return true;
}

uint64_t bare_pin(bare_cache *cache, const int32_t *pages, int64_t count)
{
    uint8_t *frames = cache->frames;
    bare_head *heads = cache->heads;
    uint64_t sum = 0;
    for (int64_t i = 0; i < count; i++) {
        bare_slot *slot = find(cache, (uint32_t)pages[i]);
        if (unlikely(slot == NULL)) {
            continue;
        }
        bare_head *head;
        while (unlikely(!try_pin(slot, heads, &head))) {
            relax();
        }

        /* A pin keeps the page but latches nothing, so its bytes are read as an optimistic read reads them. */
        uint64_t value;
        while (unlikely(!try_read_optimistic(slot, frames, &value))) {
            relax();
        }
        sum += value;

        (void)atomic_fetch_sub_explicit(&head->pins, 1, memory_order_release);
    }
    return sum;
}

uint64_t bare_optimistic(bare_cache *cache, const int32_t *pages, int64_t count)
{
    uint8_t *frames = cache->frames;
    uint64_t sum = 0;
    for (int64_t i = 0; i < count; i++) {
        bare_slot *slot = find(cache, (uint32_t)pages[i]);
        if (unlikely(slot == NULL)) {
            continue;
        }
        uint64_t value;
        while (unlikely(!try_read_optimistic(slot, frames, &value))) {
            relax();
        }

        sum += value;
    }
    return sum;
}
