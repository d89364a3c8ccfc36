/* What a process is told that it can do, and what it can. */
#include "files.h"
#include "kernel_abi.h"
#include "requests.h"
#include "restrictions.h"

#include <sys/syscall.h>

#define ALL_RING                                                                                                       \
    (SC_CAPABILITY_RING | SC_CAPABILITY_FIXED_BUFFERS | SC_CAPABILITY_FIXED_FILES | SC_CAPABILITY_FIXED_VECTORS        \
        | SC_CAPABILITY_COOP_TASKRUN | SC_CAPABILITY_SINGLE_ISSUER | SC_CAPABILITY_DEFER_TASKRUN                       \
        | SC_CAPABILITY_TIMEOUTS)

static bool has(int64_t capability)
{
    return (sc_capabilities() & capability) != 0;
}

TEST(they_are_the_same_every_time)
{
    int64_t capabilities = sc_capabilities();
    CHECK(capabilities >= 0);
    CHECK_EQUAL(capabilities, sc_capabilities());
    CHECK(has(SC_CAPABILITY_EXTENTS));
    CHECK(has(SC_CAPABILITY_CLONE));
}

TEST(asking_leaves_nothing_behind)
{
    (void)sc_capabilities();
    int before = dup(0);
    for (int i = 0; i < 100; i++) {
        (void)sc_capabilities();
    }
    int after = dup(0);
    CHECK_EQUAL(before + 1, after);
}

static void without_rings(int error)
{
    forbid_system_call(SCK_NR_IO_URING_SETUP, error);
    CHECK_EQUAL(0, sc_capabilities() & ALL_RING);
    CHECK(has(SC_CAPABILITY_SHARED_MEMORY));
    sc_ring *ring = NULL;
    CHECK_EQUAL(-error, sc_ring_create(8, 0, 0, &ring));
    CHECK_EQUAL(-error, sc_ring_create(8, 0, SC_RING_DEFER_TASKRUN, &ring));
    CHECK(ring == NULL);
}

TEST(a_filter_that_forbids_rings)
{
    without_rings(EPERM);
}

TEST(a_kernel_that_has_no_rings)
{
    without_rings(ENOSYS);
}

TEST(a_filter_that_forbids_registering)
{
    forbid_system_call(SCK_NR_IO_URING_REGISTER, EPERM);
    sc_ring *ring = ring_create(4, 0, 0);
    CHECK(has(SC_CAPABILITY_RING));
    CHECK(!has(SC_CAPABILITY_FIXED_BUFFERS));
    CHECK(!has(SC_CAPABILITY_FIXED_FILES));
    CHECK(!has(SC_CAPABILITY_FIXED_VECTORS));
    CHECK_EQUAL(0, ring_run(ring, request_nop(1)));
    ring_destroy(ring);
}

/* A kernel that knows none of the wishes refuses each of them in turn with EINVAL, and all that is left is the plain ring. */
TEST(a_kernel_that_refuses_everything)
{
    forbid_system_call(SCK_NR_IO_URING_SETUP, EINVAL);
    sc_ring *ring = NULL;
    CHECK_EQUAL(-EINVAL, sc_ring_create(4, 0, SC_RING_DEFER_TASKRUN | SC_RING_COOP_TASKRUN, &ring));
    CHECK(ring == NULL);
}

TEST(a_kernel_without_memfd)
{
    forbid_system_call(SYS_memfd_create, ENOSYS);
    CHECK(!has(SC_CAPABILITY_SHARED_MEMORY));
    CHECK_EQUAL(-ENOSYS, sc_shared_create((uint64_t)sysconf(_SC_PAGESIZE)));
}

TEST(memory_beyond_the_limit_is_not_registered)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    lock_at_most(16 * page);
    sc_ring *ring = ring_create(4, 0, 0);
    struct iovec buffers[2] = {{memory_create(64 * page), 64 * page}, {memory_create(4 * page), 4 * page}};
    CHECK_EQUAL(-ENOMEM, sc_ring_register_buffers(ring, buffers, 1));
    CHECK_EQUAL(-ENOMEM, sc_ring_register_buffers(ring, buffers, 2));
    CHECK_EQUAL(0, sc_ring_register_buffers(ring, buffers + 1, 1));
    CHECK_EQUAL(-ENOMEM, sc_ring_update_buffers(ring, 0, buffers, 1));
    CHECK_EQUAL(0, sc_ring_unregister_buffers(ring));

    /* The ring works without. */
    CHECK_EQUAL(0, ring_run(ring, request_nop(1)));
    CHECK(has(SC_CAPABILITY_FIXED_BUFFERS));
    ring_destroy(ring);
}

/* Newer kernels count the queues, too: then there is no ring at all. */
TEST(no_memory_at_all_may_be_locked)
{
    lock_at_most(0);
    CHECK(!has(SC_CAPABILITY_FIXED_BUFFERS));
    sc_ring *ring;
    int32_t result = sc_ring_create(1, 0, 0, &ring);
    CHECK_EQUAL(has(SC_CAPABILITY_RING), result == 0);
    CHECK_EQUAL(result == 0, has(SC_CAPABILITY_FIXED_FILES));
    if (result == 0) {
        ring_destroy(ring);
    }
}
