/* Transfers without a ring. */
#include "files.h"

#include <fcntl.h>

TEST(vectors_are_read_and_written_in_order)
{
    int fd = file_create(".", 0);
    file_set_direct(fd, true);
    uint8_t *memory = memory_create(4 * BLOCK);
    pattern_fill(memory, 0, 3 * BLOCK, 1);
    struct iovec two[2] = {{memory, BLOCK}, {memory + BLOCK, 2 * BLOCK}};
    CHECK_EQUAL(3 * BLOCK, sc_write_at(fd, two, 2, 0, 0));
    CHECK_EQUAL(0, sc_fdatasync(fd));
    CHECK_EQUAL(0, sc_fsync(fd));

    memset(memory, 0, 4 * BLOCK);
    struct iovec back[2] = {{memory + BLOCK, BLOCK}, {memory, BLOCK}};
    CHECK_EQUAL(2 * BLOCK, sc_read_at(fd, back, 2, BLOCK, 0));
    CHECK(pattern_holds(memory + BLOCK, BLOCK, BLOCK, 1));
    CHECK(pattern_holds(memory, 2 * BLOCK, BLOCK, 1));
}

TEST(an_offset_has_64_bits)
{
    int fd = file_create(".", 0);
    uint8_t *memory = memory_create(BLOCK);
    uint64_t far = (5ull << 32) + BLOCK;
    pattern_fill(memory, far, BLOCK, 1);
    struct iovec vector = {memory, BLOCK};
    CHECK_EQUAL(BLOCK, sc_write_at(fd, &vector, 1, far, SC_TRANSFER_DATA_SYNC));
    CHECK_EQUAL(far + BLOCK, lseek(fd, 0, SEEK_END));
    memset(memory, 0, BLOCK);
    CHECK_EQUAL(BLOCK, sc_read_at(fd, &vector, 1, far, 0));
    CHECK(pattern_holds(memory, far, BLOCK, 1));
    CHECK_EQUAL(0, sc_read_at(fd, &vector, 1, far + BLOCK, 0));
    CHECK_EQUAL(BLOCK, sc_read_at(fd, &vector, 1, 0, 0));
    CHECK_EQUAL(0, memory[0]);
}

TEST(errors_are_results)
{
    int fd = file_create(".", BLOCK);
    file_fill(fd, 0, BLOCK, 1);
    uint8_t *memory = memory_create(BLOCK);
    struct iovec vector = {memory, BLOCK};
    CHECK_EQUAL(-EBADF, sc_read_at(-1, &vector, 1, 0, 0));
    CHECK_EQUAL(-EBADF, sc_fsync(-1));
    CHECK_EQUAL(-EBADF, sc_fdatasync(-1));
    CHECK_EQUAL(-EINVAL, sc_read_at(fd, &vector, 2000, 0, 0));
    CHECK_EQUAL(-EOPNOTSUPP, sc_read_at(fd, &vector, 1, 0, 1u << 30));
    CHECK_EQUAL(-EINVAL, sc_read_at(fd, &vector, 1, UINT64_MAX / 2 + 100, 0));
    struct iovec nowhere = {(void *)16, BLOCK};
    CHECK_EQUAL(-EFAULT, sc_read_at(fd, &nowhere, 1, 0, 0));
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full >= 0) {
        CHECK_EQUAL(-ENOSPC, sc_write_at(full, &vector, 1, 0, 0));
    }
}

TEST(a_full_file_system_is_a_short_write_and_then_an_error)
{
    const char *directory = file_system_mount("tmpfs", 0, "size=64k");
    int fd = file_create(directory, 0);
    uint8_t *memory = memory_create(128 * 1024);
    struct iovec vector = {memory, 128 * 1024};
    int64_t written = sc_write_at(fd, &vector, 1, 0, 0);
    CHECK(written > 0 && written <= 64 * 1024);
    CHECK_EQUAL(-ENOSPC, sc_write_at(fd, &vector, 1, (uint64_t)written, 0));
}
