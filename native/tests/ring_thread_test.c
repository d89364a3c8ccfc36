/* The two sides of a ring on threads of their own, and who is kept out. */
#include "files.h"
#include "requests.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

typedef struct ticket {
    uint64_t submitted; /* by the submit side, before it prepares */
    uint64_t completed; /* by the reap side */
} ticket;

#define TICKETS 64

typedef struct traffic {
    sc_ring *ring;
    uint32_t total;
    uint32_t batch;
    bool waits;
    ticket tickets[TICKETS];
    _Atomic uint32_t reaped;
} traffic;

/* Reaps until everything has come; the tickets it gets were filled by another thread. */
static void *reap_all(void *argument)
{
    traffic *shared = argument;
    sc_completion completions[16];
    uint32_t reaped = 0;
    while (reaped < shared->total) {
        int32_t count = sc_ring_reap(shared->ring, completions, 16);
        for (int32_t i = 0; i < count; i++) {
            ticket *done = (ticket *)(uintptr_t)completions[i].user_data;
            CHECK_EQUAL(0, completions[i].result);
            done->completed++;
            CHECK_EQUAL(done->submitted, done->completed);
        }
        reaped += (uint32_t)count;
        atomic_store_explicit(&shared->reaped, reaped, memory_order_release);
        if (count == 0 && reaped < shared->total) {
            int32_t result = shared->waits ? sc_ring_wait(shared->ring, 1, -1) : sc_ring_wait(shared->ring, 0, 0);
            CHECK(result == 0 || result == -EINTR);
        }
    }
    return NULL;
}

/* Has at most TICKETS requests outstanding, so that a ticket is used anew only when it has come back. */
static void submit_all(traffic *shared)
{
    uint32_t submitted = 0;
    while (submitted < shared->total) {
        uint32_t count = shared->batch;
        if (count > shared->total - submitted) {
            count = shared->total - submitted;
        }
        while (submitted + count - atomic_load_explicit(&shared->reaped, memory_order_acquire) > TICKETS) {
            CHECK(sc_ring_outstanding(shared->ring) >= 0);
            usleep(10);
        }
        for (uint32_t i = 0; i < count; i++) {
            ticket *next = &shared->tickets[(submitted + i) % TICKETS];
            next->submitted++;
            sc_request request = request_nop((uint64_t)(uintptr_t)next);
            CHECK_EQUAL(1, sc_ring_prepare(shared->ring, &request, 1));
        }
        uint32_t accepted = 0;
        while (accepted < count) {
            int32_t result = sc_ring_enter(shared->ring, 0, 0);
            CHECK(result >= 0);
            accepted += (uint32_t)result;
        }
        submitted += count;
    }
}

static void run_traffic(uint32_t entries, uint32_t completion_entries, uint32_t batch, bool waits)
{
    traffic shared = {
        .ring = ring_create(entries, completion_entries, 0), .total = 20000, .batch = batch, .waits = waits};
    pthread_t reaper;
    CHECK_EQUAL(0, pthread_create(&reaper, NULL, reap_all, &shared));
    submit_all(&shared);
    CHECK_EQUAL(0, pthread_join(reaper, NULL));
    CHECK_EQUAL(0, sc_ring_outstanding(shared.ring));
    ring_destroy(shared.ring);
}

/* N-3, N-4, N-7: the tickets are handed over by nothing but the queues. */
TEST(one_thread_submits_and_another_waits)
{
    run_traffic(16, 64, 1, true);
    run_traffic(16, 64, 16, true);
}

TEST(one_thread_submits_and_another_polls)
{
    run_traffic(16, 64, 1, false);
    run_traffic(16, 64, 7, false);
}

/* N-5. */
TEST(both_at_once_on_a_queue_that_overflows)
{
    run_traffic(16, 16, 16, true);
    run_traffic(1, 1, 1, true);
}

typedef struct waiter {
    sc_ring *ring;
    atomic_bool stop;
    _Atomic uint32_t woken;
} waiter;

static void *wait_again_and_again(void *argument)
{
    waiter *shared = argument;
    while (!atomic_load(&shared->stop)) {
        int32_t result = sc_ring_wait(shared->ring, 1, 1000000);
        CHECK(result == 0 || result == -ETIME || result == -EINTR);
        atomic_fetch_add(&shared->woken, result == 0);
    }
    return NULL;
}

TEST(several_threads_wait_while_one_submits_and_reaps)
{
    waiter shared = {.ring = ring_create(8, 0, 0)};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(0, pthread_create(&threads[i], NULL, wait_again_and_again, &shared));
    }

    /* Until each of many completions has woken somebody. */
    for (uint32_t i = 0; i < 100; i++) {
        uint32_t before = atomic_load(&shared.woken);
        ring_submit(shared.ring, request_nop(i));
        while (atomic_load(&shared.woken) == before) {
            usleep(10);
        }
        CHECK_EQUAL(i, ring_next(shared.ring).user_data);
    }
    atomic_store(&shared.stop, true);
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(0, pthread_join(threads[i], NULL));
    }
    ring_destroy(shared.ring);
}

static void *use_a_ring_of_another(void *argument)
{
    sc_ring *ring = argument;
    sc_ring_properties properties;
    CHECK_EQUAL(0, sc_ring_info(ring, &properties));
    if (properties.flags & SC_RING_SINGLE_ISSUER) {
        int32_t none = -1;
        CHECK_EQUAL(-EEXIST, sc_ring_enter(ring, 0, 0));
        CHECK_EQUAL(-EEXIST, sc_ring_register_files(ring, &none, 1));
    }
    int32_t result = sc_ring_wait(ring, 1, 1000000);
    CHECK_EQUAL(properties.flags & SC_RING_DEFER_TASKRUN ? -EEXIST : -ETIME, result);
    return NULL;
}

static void use_on_another_thread(uint32_t flags)
{
    sc_ring *ring = ring_create(4, 0, flags);
    sc_request request = request_nop(1);
    CHECK_EQUAL(1, sc_ring_prepare(ring, &request, 1));
    pthread_t thread;
    CHECK_EQUAL(0, pthread_create(&thread, NULL, use_a_ring_of_another, ring));
    CHECK_EQUAL(0, pthread_join(thread, NULL));

    if (flags & SC_RING_SINGLE_ISSUER) {
        CHECK_EQUAL(1, sc_ring_outstanding(ring));
        CHECK_EQUAL(1, sc_ring_enter(ring, 1, SECOND));
        CHECK_EQUAL(1, ring_next(ring).user_data);
    }
    ring_destroy(ring);
}

/* N-6: an error has submitted nothing. */
TEST(the_single_issuer_is_alone)
{
    use_on_another_thread(0);
    use_on_another_thread(SC_RING_SINGLE_ISSUER);
    use_on_another_thread(SC_RING_SINGLE_ISSUER | SC_RING_DEFER_TASKRUN);
}

static void *enable_and_use(void *argument)
{
    sc_ring *ring = argument;
    CHECK_EQUAL(0, sc_ring_enable(ring));
    CHECK_EQUAL(0, ring_run(ring, request_nop(1)));
    return NULL;
}

TEST(whoever_enables_a_ring_is_its_single_issuer)
{
    sc_ring *ring = ring_create(4, 0, SC_RING_DEFER_TASKRUN | SC_RING_DISABLED);
    pthread_t thread;
    CHECK_EQUAL(0, pthread_create(&thread, NULL, enable_and_use, ring));
    CHECK_EQUAL(0, pthread_join(thread, NULL));
    sc_ring_properties properties;
    CHECK_EQUAL(0, sc_ring_info(ring, &properties));
    if (properties.flags & SC_RING_SINGLE_ISSUER) {
        sc_request request = request_nop(2);
        CHECK_EQUAL(1, sc_ring_prepare(ring, &request, 1));
        CHECK_EQUAL(-EEXIST, sc_ring_enter(ring, 0, 0));
    }
    ring_destroy(ring);
}

typedef struct woken {
    sc_ring *ring;
    int32_t event;
    uint64_t count;
} woken;

static void *wait_for_event(void *argument)
{
    woken *shared = argument;
    CHECK_EQUAL(0, sc_ring_enable(shared->ring));
    ring_submit(
        shared->ring, request_transfer(SC_OPERATION_READ, shared->event, UINT64_MAX, &shared->count, 8, 1));
    CHECK_EQUAL(8, ring_next(shared->ring).result);
    return NULL;
}

TEST(an_event_wakes_the_single_issuer_from_another_thread)
{
    woken shared = {
        .ring = ring_create(4, 0, SC_RING_DEFER_TASKRUN | SC_RING_DISABLED), .event = sc_event_create()};
    pthread_t thread;
    CHECK_EQUAL(0, pthread_create(&thread, NULL, wait_for_event, &shared));
    CHECK_EQUAL(0, sc_event_signal(shared.event));
    CHECK_EQUAL(0, pthread_join(thread, NULL));
    CHECK_EQUAL(1, shared.count);
    ring_destroy(shared.ring);
}

typedef struct replacing {
    sc_ring *ring;
    struct iovec buffer;
    atomic_bool stop;
} replacing;

static void *replace_again_and_again(void *argument)
{
    replacing *shared = argument;
    struct iovec none = {NULL, 0};
    while (!atomic_load(&shared->stop)) {
        CHECK_EQUAL(1, sc_ring_update_buffers(shared->ring, 0, &none, 1));
        CHECK_EQUAL(1, sc_ring_update_buffers(shared->ring, 0, &shared->buffer, 1));
    }
    return NULL;
}

/* Whoever submits finds the memory, or none. */
TEST(memory_is_replaced_by_another_thread_than_the_one_that_submits)
{
    uint8_t *memory = memory_create(2 * BLOCK);
    replacing shared = {.ring = ring_create(4, 0, 0), .buffer = {memory, 2 * BLOCK}};
    int fd = file_create(".", BLOCK);
    file_fill(fd, 0, BLOCK, 1);
    struct iovec none = {NULL, 0};
    CHECK_EQUAL(0, sc_ring_register_buffers(shared.ring, &none, 1));
    pthread_t thread;
    CHECK_EQUAL(0, pthread_create(&thread, NULL, replace_again_and_again, &shared));

    uint32_t found = 0;
    uint32_t refused = 0;
    for (uint32_t i = 0; i < 1000000 && (i < 2000 || found == 0 || refused == 0); i++) {
        sc_request request = request_transfer(SC_OPERATION_READ, fd, 0, memory + BLOCK, BLOCK, i);
        request.flags = SC_REQUEST_FIXED_BUFFER;
        memset(memory, 0, 2 * BLOCK);
        int32_t result = ring_run(shared.ring, request);
        if (result == BLOCK) {
            CHECK(pattern_holds(memory + BLOCK, 0, BLOCK, 1));
            found++;
        } else {
            CHECK_EQUAL(-EFAULT, result);
            refused++;
        }
    }
    CHECK(found != 0 && refused != 0);
    atomic_store(&shared.stop, true);
    CHECK_EQUAL(0, pthread_join(thread, NULL));
    ring_destroy(shared.ring);
}
