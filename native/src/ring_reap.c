/* The reap side of a ring. */
#include "ring_internal.h"

#include <string.h>

int32_t sc_ring_reap(sc_ring *ring, sc_completion *completions, uint32_t capacity)
{
    /* The head is this side's own. The tail is the kernel's: acquire, for the completions before it have to be seen. */
    uint32_t head = sc_relaxed(ring->cq_head);
    uint32_t count = sc_acquire(ring->cq_tail) - head;
    if (capacity > SC_REAP_MAX) {
        capacity = SC_REAP_MAX;
    }
    if (count > capacity) {
        count = capacity;
    }
    if (count == 0) {
        return 0;
    }

    SC_AFTER_KERNEL(ring);
    uint32_t first = head & ring->cq_mask;
    uint32_t straight = ring->cq_entries - first;
    if (straight > count) {
        straight = count;
    }
    memcpy(completions, &ring->cqes[first], straight * sizeof(*completions));
    memcpy(completions + straight, ring->cqes, (count - straight) * sizeof(*completions));

    /* Release: the kernel may overwrite what lies before the head. */
    sc_release(ring->cq_head, head + count);
    return (int32_t)count;
}
