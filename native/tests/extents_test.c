/* Extents, on file systems of their own. */
#include "files.h"

#include <fcntl.h>

#define MOST 512u

/* All extents of a range, asked for capacity at a time. */
static uint32_t collect(int fd, uint64_t start, uint64_t length, uint32_t capacity, sc_extent *extents)
{
    uint64_t end = length > UINT64_MAX - start ? UINT64_MAX : start + length;
    uint32_t count = 0;
    for (;;) {
        CHECK(count + capacity <= MOST);
        int32_t result = sc_extents(fd, start, end - start, SC_EXTENTS_SYNC, extents + count, capacity);
        CHECK(result >= 0 && (uint32_t)result <= capacity);
        count += (uint32_t)result;
        if ((uint32_t)result < capacity || (extents[count - 1].flags & SC_EXTENT_LAST) != 0) {
            return count;
        }
        start = extents[count - 1].logical + extents[count - 1].length;
        if (start >= end) {
            return count;
        }
    }
}

static sc_extent extent_at(int fd, uint64_t offset)
{
    sc_extent extent;
    CHECK_EQUAL(1, sc_extents(fd, offset, 1, SC_EXTENTS_SYNC, &extent, 1));
    CHECK(extent.logical <= offset && offset - extent.logical < extent.length);
    CHECK_EQUAL(0, extent.reserved);
    return extent;
}

static uint64_t place(sc_extent extent, uint64_t offset)
{
    return extent.physical + (offset - extent.logical);
}

static void check_order(const sc_extent *extents, uint32_t count, uint64_t end)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < count; i++) {
        CHECK(extents[i].length > 0);
        CHECK(extents[i].logical >= last);
        last = extents[i].logical + extents[i].length;
        CHECK_EQUAL(i == count - 1, (extents[i].flags & SC_EXTENT_LAST) != 0);
    }
    CHECK(last >= end);
}

/* N-17. Every second of many blocks, so that there are more extents than one ioctl of the library gives. */
static void every_second_block(const char *directory)
{
    enum { BLOCKS = 200 };

    /* Of its full size from the start: behind the end of a growing file some file systems allocate ahead. */
    int fd = file_create(directory, 2 * BLOCKS * BLOCK);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        file_fill(fd, (2 * i + 1) * BLOCK, BLOCK, 1);
    }

    static sc_extent all[MOST];
    CHECK_EQUAL(BLOCKS, sc_extents(fd, 0, UINT64_MAX, SC_EXTENTS_SYNC, all, MOST));
    check_order(all, BLOCKS, 2 * BLOCKS * BLOCK);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        CHECK_EQUAL((2 * i + 1) * BLOCK, all[i].logical);
        CHECK_EQUAL(BLOCK, all[i].length);
        CHECK_EQUAL(0, all[i].physical % 512);
    }

    /* However small the pieces, the whole is the same. */
    static sc_extent pieces[MOST];
    static const uint32_t capacities[] = {1, 2, 7, 35, 36, 37, 72, 100, BLOCKS};
    for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
        CHECK_EQUAL(BLOCKS, collect(fd, 0, UINT64_MAX, capacities[i], pieces));
        CHECK_EQUAL(0, memcmp(all, pieces, BLOCKS * sizeof(sc_extent)));
    }

    /* A range has what lies in it; a hole has nothing. */
    CHECK_EQUAL(10, collect(fd, 20 * BLOCK, 20 * BLOCK, 3, pieces));
    CHECK_EQUAL(21 * BLOCK, pieces[0].logical);
    CHECK_EQUAL(0, sc_extents(fd, 20 * BLOCK, BLOCK, 0, pieces, MOST));
    CHECK_EQUAL(0, sc_extents(fd, 1ull << 40, UINT64_MAX, 0, pieces, MOST));
    CHECK_EQUAL(0, sc_extents(fd, 0, UINT64_MAX, 0, pieces, 0));
    int32_t beyond = sc_extents(fd, UINT64_MAX, UINT64_MAX, 0, pieces, MOST);
    CHECK(beyond == 0 || beyond == -EFBIG);
    close(fd);
}

static void unwritten(const char *directory)
{
    int fd = file_create(directory, 0);
    CHECK_EQUAL(0, posix_fallocate(fd, 0, 16 * BLOCK));
    CHECK(extent_at(fd, 0).flags & SC_EXTENT_UNWRITTEN);
    file_fill(fd, 4 * BLOCK, BLOCK, 1);
    CHECK(extent_at(fd, 0).flags & SC_EXTENT_UNWRITTEN);
    CHECK_EQUAL(0, extent_at(fd, 4 * BLOCK).flags & SC_EXTENT_UNWRITTEN);
    CHECK(extent_at(fd, 5 * BLOCK).flags & SC_EXTENT_UNWRITTEN);
    close(fd);
}

static void delayed(const char *directory)
{
    int fd = file_create(directory, 0);
    uint8_t *memory = memory_create(16 * BLOCK);
    CHECK_EQUAL(16 * BLOCK, pwrite(fd, memory, 16 * BLOCK, 0));
    sc_extent extent;
    CHECK_EQUAL(1, sc_extents(fd, 0, UINT64_MAX, 0, &extent, 1));
    CHECK(extent.flags & SC_EXTENT_DELAYED);
    CHECK(extent.flags & SC_EXTENT_UNKNOWN);
    extent = extent_at(fd, 0);
    CHECK_EQUAL(0, extent.flags & (SC_EXTENT_DELAYED | SC_EXTENT_UNKNOWN));
    close(fd);
}

static void shared(const char *directory)
{
    int origin = file_create(directory, 0);
    file_fill(origin, 0, 64 * BLOCK, 1);
    CHECK_EQUAL(0, extent_at(origin, 0).flags & SC_EXTENT_SHARED);
    int clone = file_create(directory, 0);
    CHECK_EQUAL(0, sc_clone(origin, clone));
    for (uint64_t i = 0; i < 64; i++) {
        sc_extent one = extent_at(origin, i * BLOCK);
        sc_extent two = extent_at(clone, i * BLOCK);
        CHECK(one.flags & SC_EXTENT_SHARED);
        CHECK(two.flags & SC_EXTENT_SHARED);
        CHECK_EQUAL(place(one, i * BLOCK), place(two, i * BLOCK));
    }

    /* What is written leaves; what lies around it stays. */
    file_fill(clone, 8 * BLOCK, BLOCK, 2);
    CHECK_EQUAL(0, extent_at(clone, 8 * BLOCK).flags & SC_EXTENT_SHARED);
    CHECK(place(extent_at(clone, 8 * BLOCK), 8 * BLOCK) != place(extent_at(origin, 8 * BLOCK), 8 * BLOCK));
    CHECK(extent_at(clone, 9 * BLOCK).flags & SC_EXTENT_SHARED);
    CHECK_EQUAL(place(extent_at(origin, 9 * BLOCK), 9 * BLOCK), place(extent_at(clone, 9 * BLOCK), 9 * BLOCK));
    CHECK(file_holds(origin, 0, 64 * BLOCK, 1));
    close(origin);
    close(clone);
}

TEST(on_xfs)
{
    const char *directory = file_system_mount("xfs", 320ull << 20, NULL);
    every_second_block(directory);
    unwritten(directory);
    delayed(directory);
    shared(directory);
}

TEST(on_btrfs)
{
    const char *directory = file_system_mount("btrfs", 320ull << 20, NULL);
    every_second_block(directory);
    unwritten(directory);
    shared(directory);
}

TEST(on_ext4)
{
    const char *directory = file_system_mount("ext4", 64ull << 20, NULL);
    every_second_block(directory);
    unwritten(directory);
    delayed(directory);
}

TEST(compressed_on_btrfs)
{
    const char *directory = file_system_mount("btrfs", 320ull << 20, "compress-force=zlib");
    int fd = file_create(directory, 0);
    uint8_t *memory = memory_create(64 * BLOCK);
    memset(memory, 'a', 64 * BLOCK);
    CHECK_EQUAL(64 * BLOCK, pwrite(fd, memory, 64 * BLOCK, 0));
    CHECK(extent_at(fd, 0).flags & SC_EXTENT_ENCODED);
}

TEST(inline_on_btrfs)
{
    const char *directory = file_system_mount("btrfs", 320ull << 20, "max_inline=2048");
    int fd = file_create(directory, 0);
    CHECK_EQUAL(5, pwrite(fd, "small", 5, 0));
    sc_extent extent = extent_at(fd, 0);
    CHECK(extent.flags & SC_EXTENT_INLINE);
    CHECK(extent.flags & SC_EXTENT_NOT_ALIGNED);
    CHECK(extent.flags & SC_EXTENT_LAST);
}

TEST(an_extent_that_begins_before_the_range)
{
    const char *directory = file_system_mount("ext4", 64ull << 20, NULL);
    int fd = file_create(directory, 0);
    file_fill(fd, 0, 16 * BLOCK, 1);
    sc_extent extent;
    CHECK_EQUAL(1, sc_extents(fd, 8 * BLOCK, BLOCK, 0, &extent, 1));
    CHECK(extent.logical <= 8 * BLOCK);
    CHECK(extent.logical + extent.length >= 9 * BLOCK);
    CHECK_EQUAL(place(extent_at(fd, 0), 8 * BLOCK), place(extent, 8 * BLOCK));
}

TEST(not_on_tmpfs)
{
    int fd = file_create(file_system_mount("tmpfs", 0, "size=1m"), BLOCK);
    sc_extent extent;
    CHECK_EQUAL(-EOPNOTSUPP, sc_extents(fd, 0, UINT64_MAX, 0, &extent, 1));
}

TEST(arguments_are_checked)
{
    int fd = file_create(".", BLOCK);
    sc_extent extent;
    CHECK_EQUAL(-EINVAL, sc_extents(fd, 0, 0, 0, &extent, 1));
    CHECK_EQUAL(-EINVAL, sc_extents(fd, 0, 1, 1u << 31, &extent, 1));
    CHECK_EQUAL(-EINVAL, sc_extents(fd, 0, 1, 0, &extent, UINT32_MAX));
    CHECK_EQUAL(-EBADF, sc_extents(-1, 0, 1, 0, &extent, 1));
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK_EQUAL(-EOPNOTSUPP, sc_extents(null, 0, 1, 0, &extent, 1));
}
