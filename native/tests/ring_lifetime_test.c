/* Who has to live how long: rings, requests, what they point to, and the threads that submit. */
#include "files.h"
#include "requests.h"

#include <fcntl.h>
#include <pthread.h>

#define MIB (1u << 20)

/* N-8. */
TEST(a_ring_with_requests_in_flight_is_not_destroyed)
{
    int ends[2];
    CHECK_ERRNO(pipe(ends));
    char byte = 0;
    sc_ring *ring = ring_create(4, 0, 0);
    ring_submit(ring, request_transfer(SC_OPERATION_READ, ends[0], UINT64_MAX, &byte, 1, 1));
    CHECK_EQUAL(-EBUSY, sc_ring_destroy(ring));

    /* Nothing has happened to it: it goes on, and it can be drained. */
    CHECK_EQUAL(0, ring_run(ring, request_nop(2)));
    ring_submit(ring, request_cancel(1, 3));
    CHECK_EQUAL(-EBUSY, sc_ring_destroy(ring));
    (void)ring_next(ring);
    CHECK_EQUAL(-EBUSY, sc_ring_destroy(ring));
    (void)ring_next(ring);
    ring_destroy(ring);
    CHECK_EQUAL(0, byte);
}

/* N-8. */
TEST(completions_that_nobody_has_reaped_count_as_in_flight)
{
    sc_ring *ring = ring_create(4, 0, 0);
    ring_submit(ring, request_nop(1));
    CHECK_EQUAL(-EBUSY, sc_ring_destroy(ring));
    CHECK_EQUAL(1, ring_next(ring).user_data);
    ring_destroy(ring);
}

TEST(requests_are_free_once_prepared)
{
    sc_ring *ring = ring_create(4, 0, 0);
    sc_request request = request_nop(1);
    CHECK_EQUAL(1, sc_ring_prepare(ring, &request, 1));
    memset(&request, 0xff, sizeof(request));
    CHECK_EQUAL(1, sc_ring_enter(ring, 1, SECOND));
    CHECK_EQUAL(1, ring_next(ring).user_data);
    ring_destroy(ring);
}

/* Reads from a pipe that has nothing yet, so that the request outlasts its iovecs for certain. */
static void free_iovecs(uint32_t flags)
{
    int ends[2];
    CHECK_ERRNO(pipe(ends));
    sc_ring *ring = ring_create(4, 0, flags);
    char bytes[16] = {0};
    char stranger[16] = {0};
    struct iovec pieces[8];
    for (int i = 0; i < 8; i++) {
        pieces[i] = (struct iovec){bytes + 2 * i, 2};
    }
    ring_submit(ring, request_transfer(SC_OPERATION_READ_VECTORED, ends[0], UINT64_MAX, pieces, 8, 1));
    for (int i = 0; i < 8; i++) {
        pieces[i] = (struct iovec){stranger, 16};
    }
    CHECK_EQUAL(-ETIME, sc_ring_wait(ring, 1, 1000000));
    CHECK_EQUAL(16, write(ends[1], "0123456789abcdef", 16));
    CHECK_EQUAL(16, ring_next(ring).result);
    CHECK_EQUAL(0, memcmp(bytes, "0123456789abcdef", 16));
    CHECK_EQUAL(0, stranger[0]);
    ring_destroy(ring);
}

/* Direct reads in numbers that keep the device busy. */
static void free_iovecs_of_files(bool direct)
{
    enum { READS = 32, PIECES = 16 };
    sc_ring *ring = ring_create(READS, 0, 0);
    int fd = file_create(".", READS * PIECES * BLOCK);
    file_fill(fd, 0, READS * PIECES * BLOCK, 1);
    file_set_direct(fd, direct);
    CHECK_EQUAL(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    uint8_t *memory = memory_create(READS * PIECES * BLOCK);
    uint8_t *stranger = memory_create(BLOCK);
    struct iovec pieces[READS][PIECES];
    sc_request requests[READS];
    for (uint32_t i = 0; i < READS; i++) {
        for (uint32_t j = 0; j < PIECES; j++) {
            pieces[i][j] = (struct iovec){memory + (i * PIECES + j) * BLOCK, BLOCK};
        }
        requests[i] = request_transfer(
            SC_OPERATION_READ_VECTORED, fd, (uint64_t)i * PIECES * BLOCK, pieces[i], PIECES, i);
    }
    CHECK_EQUAL(READS, sc_ring_prepare(ring, requests, READS));
    CHECK_EQUAL(READS, sc_ring_enter(ring, 0, 0));
    for (uint32_t i = 0; i < READS; i++) {
        for (uint32_t j = 0; j < PIECES; j++) {
            pieces[i][j] = (struct iovec){stranger, BLOCK};
        }
    }
    for (uint32_t i = 0; i < READS; i++) {
        CHECK_EQUAL(PIECES * BLOCK, ring_next(ring).result);
    }
    CHECK(pattern_holds(memory, 0, READS * PIECES * BLOCK, 1));
    CHECK_EQUAL(0, stranger[0]);
    ring_destroy(ring);
}

TEST(iovecs_are_free_once_submitted)
{
    free_iovecs(0);
    free_iovecs(SC_RING_DEFER_TASKRUN);
    free_iovecs_of_files(true);
    free_iovecs_of_files(false);
}

TEST(descriptors_are_free_once_submitted)
{
    int ends[2];
    CHECK_ERRNO(pipe(ends));
    sc_ring *ring = ring_create(4, 0, 0);
    char byte = 0;
    ring_submit(ring, request_transfer(SC_OPERATION_READ, ends[0], UINT64_MAX, &byte, 1, 1));
    CHECK_EQUAL(0, close(ends[0]));
    CHECK_EQUAL(1, write(ends[1], "z", 1));
    CHECK_EQUAL(1, ring_next(ring).result);
    CHECK_EQUAL('z', byte);
    ring_destroy(ring);
}

typedef struct ended {
    sc_ring *ring;
    uint32_t flags;
    int fd;
    uint32_t requests;
    uint8_t *memory;
    bool stays; /* drains what it has submitted before it ends */
} ended;

static void *submit_and_end(void *argument)
{
    ended *thread = argument;
    if (thread->ring == NULL) {
        thread->ring = ring_create(64, 0, thread->flags);
    }
    for (uint32_t i = 0; i < thread->requests; i++) {
        uint64_t offset = thread->requests == 1 ? UINT64_MAX : (uint64_t)i * MIB;
        sc_request request = request_transfer(
            SC_OPERATION_READ, thread->fd, offset, thread->memory + i * MIB, thread->requests == 1 ? 1 : MIB, i);
        CHECK_EQUAL(1, sc_ring_prepare(thread->ring, &request, 1));
    }
    CHECK_EQUAL(thread->requests, sc_ring_enter(thread->ring, 0, 0));
    if (thread->stays) {
        ring_submit(thread->ring, request_cancel(0, 1));
        (void)ring_next(thread->ring);
        (void)ring_next(thread->ring);
    }
    return NULL;
}

static void run_thread(ended *thread)
{
    pthread_t id;
    CHECK_EQUAL(0, pthread_create(&id, NULL, submit_and_end, thread));
    CHECK_EQUAL(0, pthread_join(id, NULL));
}

static bool is_end_of_thread(int32_t result)
{
    return result == -ECANCELED || result == -EFAULT;
}

/* N-10. */
TEST(a_poll_whose_thread_has_ended_fails)
{
    int ends[2];
    CHECK_ERRNO(pipe(ends));
    uint8_t byte = 0;
    ended thread = {.ring = ring_create(4, 0, 0), .fd = ends[0], .requests = 1, .memory = &byte};
    run_thread(&thread);
    CHECK_EQUAL(1, write(ends[1], "x", 1));
    int32_t result = ring_next(thread.ring).result;
    CHECK(result == 1 ? byte == 'x' : is_end_of_thread(result) && byte == 0);
    ring_destroy(thread.ring);
}

/* N-10: every request of such a thread completes once, with its bytes or with an error that says what happened. */
static void thread_ends_with_reads(bool direct)
{
    enum { READS = 16 };
    int fd = file_create(".", READS * MIB);
    file_fill(fd, 0, READS * MIB, 1);
    CHECK_EQUAL(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    file_set_direct(fd, direct);
    ended thread = {
        .ring = ring_create(64, 0, 0), .fd = fd, .requests = READS, .memory = memory_create(READS * MIB)};
    run_thread(&thread);
    for (int i = 0; i < READS; i++) {
        sc_completion completion = ring_next(thread.ring);
        uint64_t offset = completion.user_data * MIB;
        if (completion.result > 0) {
            CHECK(pattern_holds(thread.memory + offset, offset, (uint64_t)completion.result, 1));
        } else {
            CHECK(is_end_of_thread(completion.result));
        }
    }
    CHECK_EQUAL(0, sc_ring_outstanding(thread.ring));
    ring_destroy(thread.ring);
}

TEST(reads_whose_thread_has_ended_complete)
{
    thread_ends_with_reads(true);
    thread_ends_with_reads(false);
}

/* N-11: what is left of a ring when its one thread ends cannot be fetched by anybody; so it drains first. */
TEST(the_single_issuer_drains_before_it_ends)
{
    int ends[2];
    CHECK_ERRNO(pipe(ends));
    static uint8_t byte;
    ended thread = {.flags = SC_RING_DEFER_TASKRUN, .fd = ends[0], .requests = 1, .memory = &byte};
    run_thread(&thread);
    sc_ring_properties properties;
    CHECK_EQUAL(0, sc_ring_info(thread.ring, &properties));
    if ((properties.flags & SC_RING_DEFER_TASKRUN) == 0) {
        test_skip("no SC_RING_DEFER_TASKRUN here");
    }
    CHECK_EQUAL(1, write(ends[1], "x", 1));
    CHECK_EQUAL(-EEXIST, sc_ring_wait(thread.ring, 1, SECOND));
    CHECK_EQUAL(-EBUSY, sc_ring_destroy(thread.ring));
    CHECK_EQUAL(1, sc_ring_outstanding(thread.ring));
    static sc_ring *volatile lost; /* named, so that it does not pass for a leak of the library */
    lost = thread.ring;
    CHECK(lost != NULL);

    thread = (ended){.flags = SC_RING_DEFER_TASKRUN, .fd = ends[0], .requests = 1, .memory = &byte, .stays = true};
    CHECK_EQUAL(1, read(ends[0], &byte, 1));
    run_thread(&thread);
    ring_destroy(thread.ring);
}
