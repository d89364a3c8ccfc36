#include "files.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define MIB (1u << 20)

static uint8_t *address;

/* Whether memory is behind the first page of a range, without touching it. */
static bool has_memory(const void *at)
{
    unsigned char resident;
    CHECK_ERRNO(mincore((void *)(uintptr_t)at, 1, &resident));
    return (resident & 1) != 0;
}

static void touch(void)
{
    signal(SIGSEGV, SIG_DFL);
    *(volatile uint8_t *)address = 1;
}

static void look(void)
{
    signal(SIGSEGV, SIG_DFL);
    (void)*(volatile uint8_t *)address;
}

/* In a new process image the sanitizers' handlers are not in the way; a fork has them, hence SIG_DFL above. */
#define CHECK_FAULTS(body)                                                                                             \
    do {                                                                                                               \
        int fault_status = test_in_child(body);                                                                        \
        CHECK(WIFSIGNALED(fault_status) && WTERMSIG(fault_status) == SIGSEGV);                                         \
    } while (0)

TEST(arguments_are_checked)
{
    void *result = NULL;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    CHECK_EQUAL(-EINVAL, sc_memory_reserve(0, 0, &result));
    CHECK_EQUAL(-EINVAL, sc_memory_reserve(page + 1, 0, &result));
    CHECK_EQUAL(-EINVAL, sc_memory_reserve(page, 3 * page, &result));
    CHECK_EQUAL(-EINVAL, sc_memory_reserve(UINT64_MAX - page + 1, 0, &result));
    CHECK_EQUAL(-ENOMEM, sc_memory_reserve(1ull << 62, 0, &result));
    CHECK(result == NULL);

    CHECK_EQUAL(0, sc_memory_reserve(2 * page, 0, &result));
    CHECK_EQUAL(-EINVAL, sc_memory_commit((uint8_t *)result + 1, page));
    CHECK_EQUAL(-EINVAL, sc_memory_commit(result, page - 1));
    CHECK_EQUAL(-EINVAL, sc_memory_commit(result, 0));
    CHECK_EQUAL(-EINVAL, sc_memory_decommit(result, 1));
    CHECK_EQUAL(-EINVAL, sc_memory_release(result, 1));
    CHECK_EQUAL(-EINVAL, sc_memory_advise_huge(result, 1, 1));
    CHECK_EQUAL(0, sc_memory_release(result, 2 * page));
    CHECK_EQUAL(-ENOMEM, sc_memory_commit(result, page));
}

TEST(ranges_are_aligned)
{
    for (uint64_t alignment = 1; alignment <= 64 * MIB; alignment *= 2) {
        void *result;
        CHECK_EQUAL(0, sc_memory_reserve(MIB, alignment, &result));
        CHECK_EQUAL(0, (uintptr_t)result % alignment);
        CHECK_EQUAL(0, sc_memory_commit(result, MIB));
        memset(result, 1, MIB);
        CHECK_EQUAL(0, sc_memory_release(result, MIB));
    }
}

/* N-16. */
TEST(memory_comes_and_goes)
{
    void *result;
    CHECK_EQUAL(0, sc_memory_reserve(64 * MIB, 2 * MIB, &result));
    address = result;
    CHECK_EQUAL(0, sc_memory_commit(address, MIB));
    CHECK(!has_memory(address));
    CHECK_EQUAL(0, address[0]);
    memset(address, 0xa5, MIB);
    CHECK(has_memory(address));

    CHECK_EQUAL(0, sc_memory_decommit(address, MIB));
    CHECK(!has_memory(address));
    CHECK_EQUAL(0, address[0]);
    CHECK_EQUAL(0, address[MIB - 1]);
    address[0] = 1;
    CHECK_EQUAL(1, address[0]);
    CHECK_EQUAL(0, sc_memory_release(address, 64 * MIB));
}

TEST(reserved_memory_faults)
{
    void *result;
    CHECK_EQUAL(0, sc_memory_reserve(MIB, 0, &result));
    CHECK_EQUAL(0, madvise(result, MIB, MADV_DOFORK));
    address = result;
    CHECK_FAULTS(touch);
    CHECK_FAULTS(look);
}

/* N-15. */
TEST(a_child_does_not_inherit_a_range)
{
    void *result;
    CHECK_EQUAL(0, sc_memory_reserve(MIB, 0, &result));
    CHECK_EQUAL(0, sc_memory_commit(result, MIB));
    address = result;
    touch();
    CHECK_FAULTS(look);
    int32_t fd = sc_shared_create(MIB);
    CHECK_EQUAL(0, sc_shared_map(fd, 0, MIB, 0, SC_VIEW_WRITABLE, &result));
    address = result;
    touch();
    CHECK_FAULTS(look);
}

TEST(huge_pages_can_be_asked_for)
{
    void *result;
    CHECK_EQUAL(0, sc_memory_reserve(4 * MIB, 2 * MIB, &result));
    CHECK_EQUAL(0, sc_memory_commit(result, 4 * MIB));
    int32_t expected = sc_capabilities() & SC_CAPABILITY_HUGE_PAGES ? 0 : -EOPNOTSUPP;
    CHECK_EQUAL(expected, sc_memory_advise_huge(result, 4 * MIB, 1));
    memset(result, 1, 4 * MIB);
    CHECK_EQUAL(expected, sc_memory_advise_huge(result, 4 * MIB, 0));
    CHECK_EQUAL(0, sc_memory_decommit(result, 4 * MIB));
    CHECK_EQUAL(0, *(uint8_t *)result);
}

/* N-16. */
TEST(two_views_show_one_memory)
{
    uint64_t bytes = 4 * MIB;
    int32_t fd = sc_shared_create(bytes);
    CHECK(fd >= 0);
    void *writable;
    void *readable;
    CHECK_EQUAL(0, sc_shared_map(fd, 0, bytes, 2 * MIB, SC_VIEW_WRITABLE, &writable));
    CHECK_EQUAL(0, sc_shared_map(fd, 0, bytes, 2 * MIB, 0, &readable));
    CHECK(writable != readable);
    CHECK_EQUAL(0, (uintptr_t)writable % (2 * MIB));
    CHECK_EQUAL(0, (uintptr_t)readable % (2 * MIB));
    pattern_fill(writable, 0, bytes, 5);
    CHECK(pattern_holds(readable, 0, bytes, 5));

    /* A part of it, from an offset. */
    void *part;
    CHECK_EQUAL(0, sc_shared_map(fd, MIB, MIB, 0, 0, &part));
    CHECK(pattern_holds(part, MIB, MIB, 5));
    CHECK_EQUAL(0, sc_memory_release(part, MIB));

    /* The views outlive the descriptor. */
    CHECK_EQUAL(0, sc_shared_decommit(fd, MIB, MIB));
    CHECK_EQUAL(0, close(fd));
    CHECK(pattern_holds(readable, 0, MIB, 5));
    CHECK_EQUAL(0, ((uint8_t *)readable)[MIB]);
    CHECK_EQUAL(0, ((uint8_t *)writable)[2 * MIB - 1]);
    CHECK(pattern_holds((uint8_t *)readable + 2 * MIB, 2 * MIB, 2 * MIB, 5));

    CHECK_EQUAL(0, madvise(readable, bytes, MADV_DOFORK));
    address = readable;
    CHECK_IN_CHILD(look);
    CHECK_FAULTS(touch);
}

TEST(views_are_checked)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    CHECK_EQUAL(-EINVAL, sc_shared_create(0));
    CHECK_EQUAL(-EINVAL, sc_shared_create(page + 1));
    int32_t fd = sc_shared_create(2 * page);
    void *result = NULL;
    CHECK_EQUAL(-EINVAL, sc_shared_map(fd, 0, 3 * page, 0, 0, &result));
    CHECK_EQUAL(-EINVAL, sc_shared_map(fd, page, 2 * page, 0, 0, &result));
    CHECK_EQUAL(-EINVAL, sc_shared_map(fd, 3 * page, page, 0, 0, &result));
    CHECK_EQUAL(-EINVAL, sc_shared_map(fd, 1, page, 0, 0, &result));
    CHECK_EQUAL(-EINVAL, sc_shared_map(fd, 0, page, 0, 2, &result));
    CHECK_EQUAL(-EINVAL, sc_shared_map(fd, 0, page, 3 * page, 0, &result));
    CHECK_EQUAL(-EBADF, sc_shared_map(-1, 0, page, 0, 0, &result));
    CHECK_EQUAL(-EINVAL, sc_shared_decommit(fd, 1, page));
    CHECK_EQUAL(-EINVAL, sc_shared_decommit(fd, 0, 0));
    CHECK(result == NULL);
    CHECK_EQUAL(-1, ftruncate(fd, 0));
    CHECK_EQUAL(-1, ftruncate(fd, (off_t)(4 * page)));
}

TEST(direct_transfers_reach_both_views)
{
    int32_t memory = sc_shared_create(MIB);
    void *writable;
    void *readable;
    CHECK_EQUAL(0, sc_shared_map(memory, 0, MIB, 0, SC_VIEW_WRITABLE, &writable));
    CHECK_EQUAL(0, sc_shared_map(memory, 0, MIB, 0, 0, &readable));
    int fd = file_create(".", MIB);
    file_fill(fd, 0, MIB, 6);
    file_set_direct(fd, true);
    struct iovec into = {writable, MIB};
    CHECK_EQUAL(MIB, sc_read_at(fd, &into, 1, 0, 0));
    CHECK(pattern_holds(readable, 0, MIB, 6));

    pattern_fill(writable, 0, MIB, 7);
    struct iovec from = {readable, MIB};
    CHECK_EQUAL(MIB, sc_write_at(fd, &from, 1, 0, 0));
    CHECK_EQUAL(-EFAULT, sc_read_at(fd, &from, 1, 0, 0));
    file_set_direct(fd, false);
    CHECK(file_holds(fd, 0, MIB, 7));
}
