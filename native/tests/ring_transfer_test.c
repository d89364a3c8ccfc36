/* Transfers through a ring, on files with direct I/O. */
#include "files.h"
#include "requests.h"

#define SIZE (64u * BLOCK)

static void round_trip(uint32_t flags, bool fixed_file, bool fixed_buffer)
{
    sc_ring *ring = ring_create(8, 0, flags);
    int fd = file_create(".", SIZE);
    file_set_direct(fd, true);
    uint8_t *memory = memory_create(2 * SIZE);
    uint8_t *back = memory + SIZE;
    pattern_fill(memory, 0, SIZE, 1);

    uint8_t request_flags = 0;
    int32_t file = fd;
    if (fixed_file) {
        int32_t fds[3] = {-1, fd, -1};
        CHECK_EQUAL(0, sc_ring_register_files(ring, fds, 3));
        request_flags |= SC_REQUEST_FIXED_FILE;
        file = 1;
    }
    uint16_t buffer = 0;
    if (fixed_buffer) {
        struct iovec buffers[2] = {{NULL, 0}, {memory, 2 * SIZE}};
        CHECK_EQUAL(0, sc_ring_register_buffers(ring, buffers, 2));
        buffer = 1;
    }
    uint8_t transfer_flags = request_flags | (fixed_buffer ? SC_REQUEST_FIXED_BUFFER : 0);

    sc_request write = request_transfer(SC_OPERATION_WRITE, file, 0, memory, SIZE / 2, 1);
    write.flags = transfer_flags;
    write.buffer_index = buffer;
    CHECK_EQUAL(SIZE / 2, ring_run(ring, write));

    /* The second half in three pieces out of order in memory. */
    struct iovec pieces[3] = {
        {memory + SIZE / 2, BLOCK},
        {memory + SIZE / 2 + BLOCK, 3 * BLOCK},
        {memory + SIZE / 2 + 4 * BLOCK, SIZE / 2 - 4 * BLOCK},
    };
    sc_ring_properties properties;
    CHECK_EQUAL(0, sc_ring_info(ring, &properties));
    bool fixed_vectors = fixed_buffer && (properties.features & SC_RING_FEATURE_FIXED_VECTORS) != 0;
    write = request_transfer(SC_OPERATION_WRITE_VECTORED, file, SIZE / 2, pieces, 3, 2);
    write.flags = fixed_vectors ? transfer_flags : request_flags;
    write.buffer_index = fixed_vectors ? buffer : 0;
    write.transfer_flags = SC_TRANSFER_DATA_SYNC;
    CHECK_EQUAL(SIZE / 2, ring_run(ring, write));

    sc_request sync = request_sync(SC_OPERATION_FDATASYNC, file, 3);
    sync.flags = request_flags;
    CHECK_EQUAL(0, ring_run(ring, sync));
    sync.operation = SC_OPERATION_FSYNC;
    CHECK_EQUAL(0, ring_run(ring, sync));

    sc_request read = request_transfer(SC_OPERATION_READ, file, 0, back, SIZE / 4, 4);
    read.flags = transfer_flags;
    read.buffer_index = buffer;
    CHECK_EQUAL(SIZE / 4, ring_run(ring, read));
    struct iovec two[2] = {{back + SIZE / 4, SIZE / 4}, {back + SIZE / 2, SIZE / 2}};
    read = request_transfer(SC_OPERATION_READ_VECTORED, file, SIZE / 4, two, 2, 5);
    read.flags = fixed_vectors ? transfer_flags : request_flags;
    read.buffer_index = fixed_vectors ? buffer : 0;
    CHECK_EQUAL(3 * (SIZE / 4), ring_run(ring, read));
    CHECK(pattern_holds(back, 0, SIZE, 1));

    file_set_direct(fd, false);
    CHECK(file_holds(fd, 0, SIZE, 1));
    if (fixed_file) {
        CHECK_EQUAL(0, sc_ring_unregister_files(ring));
    }
    if (fixed_buffer) {
        CHECK_EQUAL(0, sc_ring_unregister_buffers(ring));
    }
    close(fd);
    ring_destroy(ring);
}

TEST(what_is_written_is_read)
{
    round_trip(0, false, false);
    round_trip(SC_RING_COOP_TASKRUN, false, false);
    round_trip(SC_RING_SINGLE_ISSUER | SC_RING_DEFER_TASKRUN, false, false);
}

TEST(with_registered_files)
{
    round_trip(0, true, false);
    round_trip(SC_RING_DEFER_TASKRUN, true, false);
}

TEST(with_registered_memory)
{
    round_trip(0, false, true);
    round_trip(SC_RING_DEFER_TASKRUN, false, true);
}

TEST(with_both_registered)
{
    round_trip(0, true, true);
    round_trip(SC_RING_DEFER_TASKRUN, true, true);
}

TEST(a_full_queue_of_reads_at_once)
{
    sc_ring *ring = ring_create(64, 0, SC_RING_DEFER_TASKRUN);
    int fd = file_create(".", SIZE);
    file_fill(fd, 0, SIZE, 3);
    file_set_direct(fd, true);
    uint8_t *memory = memory_create(SIZE);
    sc_request requests[64];
    for (uint32_t i = 0; i < 64; i++) {
        requests[i] = request_transfer(SC_OPERATION_READ, fd, (uint64_t)i * BLOCK, memory + i * BLOCK, BLOCK, i);
    }
    for (int round = 0; round < 20; round++) {
        memset(memory, 0, SIZE);
        CHECK_EQUAL(64, sc_ring_prepare(ring, requests, 64));
        CHECK_EQUAL(64, sc_ring_enter(ring, 64, 30 * SECOND));
        uint64_t seen = 0;
        for (int i = 0; i < 64; i++) {
            sc_completion completion = ring_next(ring);
            CHECK_EQUAL(BLOCK, completion.result);
            seen |= 1ull << completion.user_data;
        }
        CHECK_EQUAL(UINT64_MAX, seen);
        CHECK(pattern_holds(memory, 0, SIZE, 3));
    }
    ring_destroy(ring);
}

TEST(errors_come_as_results)
{
    sc_ring *ring = ring_create(4, 0, 0);
    int fd = file_create(".", 2 * BLOCK);
    file_fill(fd, 0, 2 * BLOCK, 1);
    uint8_t *memory = memory_create(4 * BLOCK);
    CHECK_EQUAL(2 * BLOCK, ring_run(ring, request_transfer(SC_OPERATION_READ, fd, 0, memory, 4 * BLOCK, 1)));
    CHECK_EQUAL(0, ring_run(ring, request_transfer(SC_OPERATION_READ, fd, 2 * BLOCK, memory, BLOCK, 2)));
    CHECK_EQUAL(-EFAULT, ring_run(ring, request_transfer(SC_OPERATION_READ, fd, 0, (void *)16, BLOCK, 3)));
    CHECK_EQUAL(-EBADF, ring_run(ring, request_sync(SC_OPERATION_FSYNC, -1, 4)));
    file_set_direct(fd, true);
    CHECK_EQUAL(-EINVAL, ring_run(ring, request_transfer(SC_OPERATION_READ, fd, 1, memory, BLOCK, 5)));

    sc_request fixed = request_transfer(SC_OPERATION_READ, 0, 0, memory, BLOCK, 6);
    fixed.flags = SC_REQUEST_FIXED_FILE;
    CHECK_EQUAL(-EBADF, ring_run(ring, fixed));
    fixed.fd = fd;
    fixed.flags = SC_REQUEST_FIXED_BUFFER;
    CHECK_EQUAL(-EFAULT, ring_run(ring, fixed));
    ring_destroy(ring);
}
