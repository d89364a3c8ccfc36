/* Registered files and memory: what can be replaced, and when. */
#include "files.h"
#include "requests.h"

static sc_request fixed_read(int32_t index, void *memory, uint64_t user_data)
{
    sc_request request = request_transfer(SC_OPERATION_READ, index, 0, memory, BLOCK, user_data);
    request.flags = SC_REQUEST_FIXED_FILE;
    return request;
}

TEST(files_are_replaced)
{
    sc_ring *ring = ring_create(4, 0, 0);
    int one = file_create(".", BLOCK);
    int two = file_create(".", BLOCK);
    file_fill(one, 0, BLOCK, 1);
    file_fill(two, 0, BLOCK, 2);
    uint8_t *memory = memory_create(BLOCK);

    int32_t fds[2] = {one, -1};
    CHECK_EQUAL(-ENXIO, sc_ring_update_files(ring, 0, fds, 1));
    CHECK_EQUAL(-ENXIO, sc_ring_unregister_files(ring));
    CHECK_EQUAL(0, sc_ring_register_files(ring, fds, 2));
    CHECK_EQUAL(-EBUSY, sc_ring_register_files(ring, fds, 2));

    /* The ring holds the file by itself. */
    CHECK_EQUAL(0, close(one));
    CHECK_EQUAL(BLOCK, ring_run(ring, fixed_read(0, memory, 1)));
    CHECK(pattern_holds(memory, 0, BLOCK, 1));
    CHECK_EQUAL(-EBADF, ring_run(ring, fixed_read(1, memory, 2)));
    CHECK_EQUAL(-EBADF, ring_run(ring, fixed_read(2, memory, 3)));

    int32_t swapped[2] = {-1, two};
    CHECK_EQUAL(2, sc_ring_update_files(ring, 0, swapped, 2));
    CHECK_EQUAL(-EBADF, ring_run(ring, fixed_read(0, memory, 4)));
    CHECK_EQUAL(BLOCK, ring_run(ring, fixed_read(1, memory, 5)));
    CHECK(pattern_holds(memory, 0, BLOCK, 2));

    int32_t wrong[1] = {-2};
    CHECK_EQUAL(-EBADF, sc_ring_update_files(ring, 0, wrong, 1));
    CHECK_EQUAL(-EINVAL, sc_ring_update_files(ring, 1, swapped, 2));
    CHECK_EQUAL(0, sc_ring_unregister_files(ring));
    CHECK_EQUAL(-EBADF, ring_run(ring, fixed_read(1, memory, 6)));
    ring_destroy(ring);
}

TEST(a_request_under_way_keeps_its_file)
{
    int ends[2];
    CHECK_ERRNO(pipe(ends));
    sc_ring *ring = ring_create(4, 0, 0);
    int32_t fds[1] = {ends[0]};
    CHECK_EQUAL(0, sc_ring_register_files(ring, fds, 1));
    char byte = 0;
    sc_request read = request_transfer(SC_OPERATION_READ, 0, UINT64_MAX, &byte, 1, 1);
    read.flags = SC_REQUEST_FIXED_FILE;
    ring_submit(ring, read);
    int32_t none[1] = {-1};
    CHECK_EQUAL(1, sc_ring_update_files(ring, 0, none, 1));
    CHECK_EQUAL(0, close(ends[0]));
    CHECK_EQUAL(1, write(ends[1], "y", 1));
    CHECK_EQUAL(1, ring_next(ring).result);
    CHECK_EQUAL('y', byte);
    ring_destroy(ring);
}

static sc_request buffered(uint8_t operation, int fd, void *memory, uint32_t length, uint16_t index)
{
    sc_request request = request_transfer(operation, fd, 0, memory, length, 1);
    request.flags = SC_REQUEST_FIXED_BUFFER;
    request.buffer_index = index;
    return request;
}

TEST(memory_is_replaced)
{
    sc_ring *ring = ring_create(4, 0, 0);
    int fd = file_create(".", BLOCK);
    file_fill(fd, 0, BLOCK, 1);
    uint8_t *memory = memory_create(4 * BLOCK);

    struct iovec buffers[2] = {{memory, BLOCK}, {NULL, 0}};
    CHECK_EQUAL(-ENXIO, sc_ring_update_buffers(ring, 0, buffers, 1));
    CHECK_EQUAL(-ENXIO, sc_ring_unregister_buffers(ring));
    CHECK_EQUAL(0, sc_ring_register_buffers(ring, buffers, 2));
    CHECK_EQUAL(-EBUSY, sc_ring_register_buffers(ring, buffers, 2));
    CHECK_EQUAL(BLOCK, ring_run(ring, buffered(SC_OPERATION_READ, fd, memory, BLOCK, 0)));
    CHECK_EQUAL(-EFAULT, ring_run(ring, buffered(SC_OPERATION_READ, fd, memory, BLOCK, 1)));
    CHECK_EQUAL(-EFAULT, ring_run(ring, buffered(SC_OPERATION_READ, fd, memory, BLOCK, 2)));

    /* Only what lies inside. */
    CHECK_EQUAL(-EFAULT, ring_run(ring, buffered(SC_OPERATION_READ, fd, memory + BLOCK, BLOCK, 0)));
    CHECK_EQUAL(-EFAULT, ring_run(ring, buffered(SC_OPERATION_READ, fd, memory, 2 * BLOCK, 0)));

    struct iovec more[1] = {{memory + 2 * BLOCK, BLOCK}};
    CHECK_EQUAL(1, sc_ring_update_buffers(ring, 1, more, 1));
    CHECK_EQUAL(BLOCK, ring_run(ring, buffered(SC_OPERATION_READ, fd, memory + 2 * BLOCK, BLOCK, 1)));
    CHECK(pattern_holds(memory + 2 * BLOCK, 0, BLOCK, 1));
    CHECK_EQUAL(0, sc_ring_unregister_buffers(ring));
    ring_destroy(ring);
}

TEST(vectors_use_registered_memory_where_the_kernel_can)
{
    sc_ring *ring = ring_create(4, 0, 0);
    sc_ring_properties properties;
    CHECK_EQUAL(0, sc_ring_info(ring, &properties));
    int fd = file_create(".", BLOCK);
    file_fill(fd, 0, BLOCK, 1);
    uint8_t *memory = memory_create(2 * BLOCK);
    struct iovec buffer = {memory, 2 * BLOCK};
    CHECK_EQUAL(0, sc_ring_register_buffers(ring, &buffer, 1));
    struct iovec pieces[2] = {{memory + BLOCK, BLOCK / 2}, {memory, BLOCK / 2}};
    sc_request request = buffered(SC_OPERATION_READ_VECTORED, fd, pieces, 2, 0);
    if ((properties.features & SC_RING_FEATURE_FIXED_VECTORS) == 0) {
        CHECK_EQUAL(-EOPNOTSUPP, sc_ring_prepare(ring, &request, 1));
    } else {
        CHECK_EQUAL(BLOCK, ring_run(ring, request));
        CHECK(pattern_holds(memory + BLOCK, 0, BLOCK / 2, 1));
        CHECK(pattern_holds(memory, BLOCK / 2, BLOCK / 2, 1));
        struct iovec outside[1] = {{memory + 2 * BLOCK, 8}};
        CHECK_EQUAL(-EFAULT, ring_run(ring, buffered(SC_OPERATION_READ_VECTORED, fd, outside, 1, 0)));
    }
    ring_destroy(ring);
}

TEST(memory_that_cannot_be_written_is_refused)
{
    sc_ring *ring = ring_create(4, 0, 0);
    void *address;
    CHECK_EQUAL(0, sc_memory_reserve(16 * BLOCK * 16, 0, &address));
    struct iovec buffer = {address, BLOCK};
    CHECK_EQUAL(-EFAULT, sc_ring_register_buffers(ring, &buffer, 1));
    CHECK_EQUAL(0, sc_memory_commit(address, 16 * BLOCK * 16));
    CHECK_EQUAL(0, sc_ring_register_buffers(ring, &buffer, 1));
    CHECK_EQUAL(0, sc_ring_unregister_buffers(ring));
    struct iovec large = {address, (1ull << 30) + 1};
    CHECK(sc_ring_register_buffers(ring, &large, 1) < 0);
    ring_destroy(ring);
}

/* N-9: why registered memory must not be decommitted. */
TEST(registered_memory_is_what_it_was_when_it_was_registered)
{
    sc_ring *ring = ring_create(4, 0, 0);
    int fd = file_create(".", BLOCK);
    file_fill(fd, 0, BLOCK, 1);
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    void *address;
    CHECK_EQUAL(0, sc_memory_reserve(page, 0, &address));
    CHECK_EQUAL(0, sc_memory_commit(address, page));
    struct iovec buffer = {address, page};
    CHECK_EQUAL(0, sc_ring_register_buffers(ring, &buffer, 1));
    CHECK_EQUAL(0, sc_memory_decommit(address, page));
    CHECK_EQUAL(BLOCK, ring_run(ring, buffered(SC_OPERATION_READ, fd, address, BLOCK, 0)));
    CHECK_EQUAL(0, *(volatile uint32_t *)address);
    CHECK_EQUAL(0, sc_ring_unregister_buffers(ring));

    CHECK_EQUAL(0, sc_ring_register_buffers(ring, &buffer, 1));
    CHECK_EQUAL(BLOCK, ring_run(ring, buffered(SC_OPERATION_READ, fd, address, BLOCK, 0)));
    CHECK(pattern_holds(address, 0, BLOCK, 1));
    ring_destroy(ring);
}
