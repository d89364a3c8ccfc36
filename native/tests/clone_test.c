/* Clones, on file systems that have them and on those that have not. */
#include "files.h"

#include <fcntl.h>
#include <sys/stat.h>

static uint64_t size_of(int fd)
{
    struct stat status;
    CHECK_ERRNO(fstat(fd, &status));
    return (uint64_t)status.st_size;
}

static void whole_files(const char *directory)
{
    int source = file_create(directory, 0);
    uint8_t *memory = memory_create(32 * BLOCK);
    pattern_fill(memory, 0, 32 * BLOCK, 1);

    /* Not synced, and not a whole number of blocks. */
    CHECK_EQUAL(31 * BLOCK + 100, pwrite(source, memory, 31 * BLOCK + 100, 0));
    int destination = file_create(directory, 0);
    file_fill(destination, 0, 4 * BLOCK, 7);
    CHECK_EQUAL(0, sc_clone(source, destination));
    CHECK_EQUAL(31 * BLOCK + 100, size_of(destination));
    CHECK(file_holds(destination, 0, 31 * BLOCK + 100, 1));

    /* Each is its own file from now on. */
    file_fill(destination, 2 * BLOCK, BLOCK, 2);
    CHECK(file_holds(source, 0, 31 * BLOCK, 1));
    CHECK(file_holds(destination, 2 * BLOCK, BLOCK, 2));
    CHECK(file_holds(destination, 3 * BLOCK, BLOCK, 1));
    close(source);
    close(destination);
}

static void ranges(const char *directory)
{
    int source = file_create(directory, 0);
    file_fill(source, 0, 32 * BLOCK, 1);
    int destination = file_create(directory, 16 * BLOCK);
    CHECK_EQUAL(0, sc_clone_range(source, 4 * BLOCK, 2 * BLOCK, destination, 4 * BLOCK));
    CHECK_EQUAL(16 * BLOCK, size_of(destination));
    CHECK(file_holds(destination, 4 * BLOCK, 2 * BLOCK, 1));
    uint32_t word = 1;
    CHECK_EQUAL(4, pread(destination, &word, 4, 6 * BLOCK));
    CHECK_EQUAL(0, word);

    /* To the end of the source; the destination grows. */
    CHECK_EQUAL(0, sc_clone_range(source, 8 * BLOCK, 0, destination, 8 * BLOCK));
    CHECK_EQUAL(32 * BLOCK, size_of(destination));
    CHECK(file_holds(destination, 8 * BLOCK, 24 * BLOCK, 1));

    CHECK_EQUAL(-EINVAL, sc_clone_range(source, 1, BLOCK, destination, 0));
    CHECK_EQUAL(-EINVAL, sc_clone_range(source, 0, BLOCK, destination, 100));
    CHECK_EQUAL(-EINVAL, sc_clone_range(source, 31 * BLOCK, 2 * BLOCK, destination, 0));
    close(source);
    close(destination);
}

static void refused(const char *directory)
{
    int source = file_create(directory, BLOCK);
    int elsewhere = file_create(".", 0);
    CHECK_EQUAL(-EXDEV, sc_clone(source, elsewhere));
    int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int destination = file_create(directory, 0);
    CHECK_EQUAL(-EISDIR, sc_clone(folder, destination));
    CHECK_EQUAL(-EBADF, sc_clone(-1, destination));
    CHECK_EQUAL(-EBADF, sc_clone(source, -1));

    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", destination);
    int readable = open(path, O_RDONLY | O_CLOEXEC);
    CHECK_EQUAL(-EBADF, sc_clone(source, readable));
}

TEST(on_xfs)
{
    const char *directory = file_system_mount("xfs", 320ull << 20, NULL);
    whole_files(directory);
    ranges(directory);
    refused(directory);
}

TEST(on_btrfs)
{
    const char *directory = file_system_mount("btrfs", 320ull << 20, NULL);
    whole_files(directory);
    ranges(directory);
    refused(directory);
}

static void unsupported(const char *directory)
{
    int source = file_create(directory, BLOCK);
    int destination = file_create(directory, BLOCK);
    CHECK_EQUAL(-EOPNOTSUPP, sc_clone(source, destination));
    CHECK_EQUAL(-EOPNOTSUPP, sc_clone_range(source, 0, BLOCK, destination, 0));
}

TEST(not_on_ext4)
{
    unsupported(file_system_mount("ext4", 64ull << 20, NULL));
}

TEST(not_on_tmpfs)
{
    unsupported(file_system_mount("tmpfs", 0, "size=1m"));
}

TEST(not_of_devices)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int file = file_create(".", 0);
    int32_t result = sc_clone(null, file);
    CHECK(result == -EXDEV || result == -EINVAL || result == -EOPNOTSUPP);
}
