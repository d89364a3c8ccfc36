#include "memory_internal.h"


static const struct {
    uint32_t ring_flag;
    uint32_t capability;
} ring_flags[] = {
    {SC_RING_COOP_TASKRUN, SC_CAPABILITY_COOP_TASKRUN},
    {SC_RING_SINGLE_ISSUER, SC_CAPABILITY_SINGLE_ISSUER},
    {SC_RING_DEFER_TASKRUN, SC_CAPABILITY_DEFER_TASKRUN},
};

#define WISHES (SC_RING_COOP_TASKRUN | SC_RING_SINGLE_ISSUER | SC_RING_DEFER_TASKRUN)

static bool can_register_memory(sc_ring *ring)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    void *memory;
    if (sc_reserve(page, 0, &memory) < 0) {
        return false;
    }

    struct iovec buffer = {.iov_base = memory, .iov_len = page};
    bool can = sc_memory_commit(memory, page) == 0 && sc_ring_register_buffers(ring, &buffer, 1) == 0
        && sc_ring_unregister_buffers(ring) == 0;
    (void)sc_memory_release(memory, page);
    return can;
}

static bool can_register_files(sc_ring *ring)
{
    int32_t none = -1;
    return sc_ring_register_files(ring, &none, 1) == 0 && sc_ring_unregister_files(ring) == 0;
}

static uint32_t ring_capabilities(void)
{
    sc_ring *ring;
    if (sc_ring_create(1, 0, WISHES, &ring) < 0) {
        return 0;
    }

    sc_ring_properties properties;
    (void)sc_ring_info(ring, &properties);
    uint32_t capabilities = SC_CAPABILITY_RING | SC_CAPABILITY_TIMEOUTS;
    for (size_t i = 0; i < sizeof(ring_flags) / sizeof(ring_flags[0]); i++) {
        capabilities |= properties.flags & ring_flags[i].ring_flag ? ring_flags[i].capability : 0;
    }
    capabilities |= properties.features & SC_RING_FEATURE_FIXED_VECTORS ? SC_CAPABILITY_FIXED_VECTORS : 0;
    capabilities |= can_register_memory(ring) ? SC_CAPABILITY_FIXED_BUFFERS : 0;
    capabilities |= can_register_files(ring) ? SC_CAPABILITY_FIXED_FILES : 0;
    (void)sc_ring_destroy(ring);
    return capabilities;
}

static bool can_share_memory(void)
{
    int32_t fd = sc_shared_create((uint64_t)sysconf(_SC_PAGESIZE));
    if (fd < 0) {
        return false;
    }
    (void)close(fd);
    return true;
}

static bool can_have_huge_pages(void)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    void *memory;
    if (sc_reserve(page, 0, &memory) < 0) {
        return false;
    }
    bool can = sc_memory_advise_huge(memory, page, 1) == 0;
    (void)sc_memory_release(memory, page);
    return can;
}

int64_t sc_capabilities(void)
{
    uint32_t capabilities = SC_CAPABILITY_EXTENTS | SC_CAPABILITY_CLONE | ring_capabilities();
    capabilities |= can_share_memory() ? SC_CAPABILITY_SHARED_MEMORY : 0;
    capabilities |= can_have_huge_pages() ? SC_CAPABILITY_HUGE_PAGES : 0;
    return capabilities;
}
