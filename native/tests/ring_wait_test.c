/* Waiting, time-outs, interruption, cancellation and overflow. */
#include "requests.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

static int64_t now_ns(void)
{
    struct timespec time;
    CHECK_ERRNO(clock_gettime(CLOCK_MONOTONIC, &time));
    return time.tv_sec * SECOND + time.tv_nsec;
}

TEST(a_wait_ends_when_its_time_is_up)
{
    sc_ring *ring = ring_create(4, 0, 0);
    int64_t start = now_ns();
    CHECK_EQUAL(-ETIME, sc_ring_wait(ring, 1, 20000000));
    CHECK(now_ns() - start >= 20000000);
    CHECK_EQUAL(-ETIME, sc_ring_enter(ring, 1, 1));
    CHECK_EQUAL(-ETIME, sc_ring_wait(ring, 1, 1));

    /* No time at all is no wait, and not a wait that failed. */
    CHECK_EQUAL(0, sc_ring_wait(ring, 1, 0));
    CHECK_EQUAL(0, sc_ring_enter(ring, 1, 0));
    ring_destroy(ring);
}

/* N-6. */
TEST(a_submission_counts_though_the_wait_after_it_ends_early)
{
    int ends[2];
    CHECK_ERRNO(pipe(ends));
    char byte = 0;
    sc_ring *ring = ring_create(4, 0, 0);
    sc_request read = request_transfer(SC_OPERATION_READ, ends[0], UINT64_MAX, &byte, 1, 1);
    CHECK_EQUAL(1, sc_ring_prepare(ring, &read, 1));
    CHECK_EQUAL(1, sc_ring_enter(ring, 1, 1000000));
    CHECK_EQUAL(0, sc_ring_has_completions(ring));
    CHECK_EQUAL(-ETIME, sc_ring_enter(ring, 1, 1000000));
    CHECK_EQUAL(1, sc_ring_outstanding(ring));

    CHECK_EQUAL(1, write(ends[1], "x", 1));
    CHECK_EQUAL(1, ring_next(ring).result);
    CHECK_EQUAL('x', byte);
    ring_destroy(ring);
}

static void ignore_signal(int number)
{
    (void)number;
}

static atomic_bool signal_stop;

static void *send_signals(void *target)
{
    /* More than one: the first may come before the wait has begun. */
    while (!atomic_load(&signal_stop)) {
        pthread_kill(*(pthread_t *)target, SIGUSR1);
        usleep(1000);
    }
    return NULL;
}

TEST(a_signal_interrupts_a_wait)
{
    struct sigaction action = {.sa_handler = ignore_signal, .sa_flags = SA_RESTART};
    CHECK_ERRNO(sigaction(SIGUSR1, &action, NULL));
    sc_ring *ring = ring_create(4, 0, 0);
    pthread_t self = pthread_self();
    pthread_t sender;
    CHECK_EQUAL(0, pthread_create(&sender, NULL, send_signals, &self));
    CHECK_EQUAL(-EINTR, sc_ring_wait(ring, 1, 30 * SECOND));
    CHECK_EQUAL(-EINTR, sc_ring_enter(ring, 1, -1));
    atomic_store(&signal_stop, true);
    CHECK_EQUAL(0, pthread_join(sender, NULL));
    ring_destroy(ring);
}

TEST(more_than_the_queue_holds_is_a_full_queue)
{
    sc_ring *ring = ring_create(2, 2, 0);
    sc_request requests[2] = {request_nop(1), request_nop(2)};
    CHECK_EQUAL(2, sc_ring_prepare(ring, requests, 2));
    CHECK_EQUAL(2, sc_ring_enter(ring, 1000, 10 * SECOND));
    CHECK_EQUAL(0, sc_ring_wait(ring, 1000, 10 * SECOND));
    CHECK_EQUAL(1, ring_next(ring).user_data);
    CHECK_EQUAL(2, ring_next(ring).user_data);
    ring_destroy(ring);
}

TEST(a_pending_read_can_be_cancelled)
{
    int ends[2];
    CHECK_ERRNO(pipe(ends));
    char byte = 0;
    sc_ring *ring = ring_create(4, 0, 0);
    ring_submit(ring, request_transfer(SC_OPERATION_READ, ends[0], UINT64_MAX, &byte, 1, 7));
    ring_submit(ring, request_cancel(7, 8));

    int32_t results[9] = {0};
    for (int i = 0; i < 2; i++) {
        sc_completion completion = ring_next(ring);
        CHECK(completion.user_data == 7 || completion.user_data == 8);
        results[completion.user_data] = completion.result;
    }
    CHECK_EQUAL(-ECANCELED, results[7]);
    CHECK_EQUAL(0, results[8]);
    CHECK_EQUAL(-ENOENT, ring_run(ring, request_cancel(7, 9)));
    CHECK_EQUAL(0, sc_ring_outstanding(ring));
    ring_destroy(ring);
}

/* Submits count nops to a queue of two completions and looks for all of them. */
static void overflow(uint32_t flags, uint32_t count, bool wait_for_one)
{
    sc_ring *ring = ring_create(2, 2, flags);
    for (uint32_t i = 0; i < count; i++) {
        sc_request request = request_nop(i);
        CHECK_EQUAL(1, sc_ring_prepare(ring, &request, 1));
        CHECK_EQUAL(1, sc_ring_enter(ring, 0, 0));
    }
    CHECK_EQUAL(count, sc_ring_outstanding(ring));
    CHECK_EQUAL(-EBUSY, sc_ring_destroy(ring));

    uint64_t seen = 0;
    sc_completion completions[8];
    for (uint32_t found = 0; found < count;) {
        int32_t state = sc_ring_has_completions(ring);
        if (found == 0) {
            CHECK_EQUAL(SC_COMPLETIONS_READY | SC_COMPLETIONS_HELD, state);
        }
        int32_t reaped = sc_ring_reap(ring, completions, 8);
        for (int32_t i = 0; i < reaped; i++) {
            CHECK_EQUAL(found, completions[i].user_data);
            seen += completions[i].user_data;
            found++;
        }
        if (found < count) {
            /* Either way of entering the kernel brings what it holds, and knows that it has come. */
            CHECK_EQUAL(0, wait_for_one ? sc_ring_wait(ring, 1, 10 * SECOND) : sc_ring_wait(ring, 0, 0));
        }
    }
    CHECK_EQUAL((uint64_t)count * (count - 1) / 2, seen);
    CHECK_EQUAL(0, sc_ring_has_completions(ring));
    CHECK_EQUAL(0, sc_ring_outstanding(ring));
    ring_destroy(ring);
}

/* N-5. */
TEST(completions_that_find_no_room_are_kept_in_order)
{
    overflow(0, 1000, false);
    overflow(0, 1000, true);
    overflow(SC_RING_COOP_TASKRUN, 1000, false);
    overflow(SC_RING_DEFER_TASKRUN, 1000, false);
    overflow(SC_RING_DEFER_TASKRUN, 1000, true);
}

TEST(a_submission_fetches_what_the_kernel_holds)
{
    sc_ring *ring = ring_create(2, 2, 0);
    for (uint32_t i = 0; i < 4; i++) {
        ring_submit(ring, request_nop(i));
    }
    sc_completion completions[4];
    CHECK_EQUAL(2, sc_ring_reap(ring, completions, 4));
    ring_submit(ring, request_nop(4));
    CHECK_EQUAL(2, sc_ring_reap(ring, completions, 4));
    CHECK_EQUAL(2, completions[0].user_data);
    CHECK_EQUAL(4, ring_next(ring).user_data);
    ring_destroy(ring);
}

TEST(one_reap_is_bounded)
{
    sc_ring *ring = ring_create(256, 256, 0);
    sc_request requests[256];
    for (uint32_t i = 0; i < 256; i++) {
        requests[i] = request_nop(i);
    }
    CHECK_EQUAL(256, sc_ring_prepare(ring, requests, 256));
    CHECK_EQUAL(256, sc_ring_enter(ring, 256, SECOND));
    sc_completion completions[256];
    CHECK_EQUAL(SC_REAP_MAX, sc_ring_reap(ring, completions, 256));
    CHECK_EQUAL(256 - SC_REAP_MAX, sc_ring_reap(ring, completions + SC_REAP_MAX, 256));
    for (uint32_t i = 0; i < 256; i++) {
        CHECK_EQUAL(i, completions[i].user_data);
    }
    ring_destroy(ring);
}

TEST(an_event_wakes_a_wait)
{
    sc_ring *ring = ring_create(4, 0, SC_RING_DEFER_TASKRUN);
    int32_t event = sc_event_create();
    CHECK(event >= 0);
    uint64_t count = 0;
    ring_submit(ring, request_transfer(SC_OPERATION_READ, event, UINT64_MAX, &count, sizeof(count), 1));
    CHECK_EQUAL(-ETIME, sc_ring_wait(ring, 1, 1000000));
    CHECK_EQUAL(0, sc_event_signal(event));
    CHECK_EQUAL(8, ring_next(ring).result);
    CHECK_EQUAL(1, count);

    /* Signals given while no read was in flight are in the next one. */
    CHECK_EQUAL(0, sc_event_signal(event));
    CHECK_EQUAL(0, sc_event_signal(event));
    CHECK_EQUAL(8, ring_run(ring, request_transfer(SC_OPERATION_READ, event, UINT64_MAX, &count, sizeof(count), 2)));
    CHECK_EQUAL(2, count);
    CHECK_EQUAL(0, close(event));
    CHECK_EQUAL(-EBADF, sc_event_signal(event));
    ring_destroy(ring);
}
