/* The memory layout shared by the set-up and the measured loops; the same as the managed cache's. */
#ifndef STORAGECACHE_BARE_LAYOUT_H
#define STORAGECACHE_BARE_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#define BARE_NODE_BITS 9
#define BARE_NODE_ENTRIES (1u << BARE_NODE_BITS) /* entries of an interior node and slots of a leaf */
#define BARE_NODE_MASK (BARE_NODE_ENTRIES - 1)
#define BARE_SHIFT_MASK 63ull /* low bits of a reference: the shift of the node, 0 for a leaf; nodes are aligned to more than that */

/* The state word. */
#define BARE_SHARED_MASK 0xFFFFull
#define BARE_SHARED_FULL (1ull << 14)
#define BARE_SHARED_UNDERFLOW (1ull << 15)
#define BARE_EXCLUSIVE (1ull << 16)
#define BARE_LOADING (1ull << 17)
#define BARE_UP_TO_DATE (1ull << 18)
#define BARE_DIRTY (1ull << 19)
#define BARE_WRITE_BACK (1ull << 20)
#define BARE_PROTECTED (1ull << 21)
#define BARE_PINNED (1ull << 22)
#define BARE_HAS_WAITERS (1ull << 23)
#define BARE_LIST_LOCK (1ull << 24)
#define BARE_REFERENCED (1ull << 25)
#define BARE_REFERENCE_MASK (3ull << 25)
#define BARE_ATTACHED (1ull << 27)
#define BARE_VERSION_ONE (1ull << 32)
#define BARE_VERSION_MASK 0xFFFFFFFF00000000ull

/* All that a hit needs, four to a cache line. */
typedef struct bare_slot {
    _Atomic uint64_t state;
    uint32_t frame;
    uint32_t head;
} bare_slot;

/* Who a page is; one cache line. Only a pin touches it. */
typedef struct bare_head {
    bare_slot *slot;
    int64_t page;
    uint64_t lsn;
    uint64_t private_word;
    int32_t mapping;
    uint32_t waiters;
    _Atomic int32_t pins;
    uint32_t unused[5];
} bare_head;

_Static_assert(sizeof(bare_slot) == 16, "a slot is 16 bytes");
_Static_assert(sizeof(bare_head) == 64, "a head is one cache line");

struct bare_cache {
    _Atomic uint64_t root; /* reference to the top node */
    uint8_t *frames;
    bare_head *heads;
    uint8_t *nodes; /* every node is cut from here; all are 8 KiB or less */
    uint64_t nodes_bytes;
    uint64_t nodes_used;
    uint64_t heads_bytes;
    uint64_t page_count;
};

#endif
