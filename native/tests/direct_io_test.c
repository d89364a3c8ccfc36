#include "files.h"

#include <fcntl.h>

static void check(const char *directory, bool reported)
{
    int fd = file_create(directory, 4 * BLOCK);
    uint32_t memory = 77;
    uint32_t offset = 78;
    int32_t result = sc_dio_alignment(fd, &memory, &offset);
    if (result == -EOPNOTSUPP) {
        CHECK(!reported);
        CHECK_EQUAL(77, memory);
        CHECK_EQUAL(78, offset);
        return;
    }
    CHECK_EQUAL(0, result);
    if (memory == 0) {
        CHECK_EQUAL(0, offset);
        return;
    }

    /* What is said is enough, and no more is needed than what is said. */
    CHECK_EQUAL(0, offset & (offset - 1));
    file_fill(fd, 0, 4 * BLOCK, 1); /* a hole asks no device, and so no alignment */
    file_set_direct(fd, true);
    uint8_t *buffer = memory_create(4 * BLOCK);
    struct iovec vector = {buffer + memory, offset};
    CHECK_EQUAL(offset, sc_read_at(fd, &vector, 1, offset, 0));
    CHECK_EQUAL(-EINVAL, sc_read_at(fd, &vector, 1, offset / 2, 0));
    close(fd);
}

TEST(of_the_working_directory)
{
    check(".", false);
}

TEST(of_xfs)
{
    check(file_system_mount("xfs", 320ull << 20, NULL), true);
}

TEST(of_btrfs)
{
    check(file_system_mount("btrfs", 320ull << 20, NULL), false);
}

TEST(of_ext4)
{
    check(file_system_mount("ext4", 64ull << 20, NULL), true);
}

TEST(of_tmpfs)
{
    check(file_system_mount("tmpfs", 0, "size=1m"), false);
}

TEST(of_no_file)
{
    uint32_t memory;
    uint32_t offset;
    CHECK_EQUAL(-EBADF, sc_dio_alignment(-1, &memory, &offset));
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK_EQUAL(-EOPNOTSUPP, sc_dio_alignment(null, &memory, &offset));
}
