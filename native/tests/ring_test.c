/* Creating rings, and the two queues. */
#include "requests.h"

#define ALL_WISHES (SC_RING_SINGLE_ISSUER | SC_RING_DEFER_TASKRUN | SC_RING_COOP_TASKRUN)

static sc_ring_properties properties(const sc_ring *ring)
{
    sc_ring_properties result;
    CHECK_EQUAL(0, sc_ring_info(ring, &result));
    return result;
}

TEST(arguments_are_checked)
{
    sc_ring *ring = NULL;
    CHECK_EQUAL(-EINVAL, sc_ring_create(0, 0, 0, &ring));
    CHECK_EQUAL(-EINVAL, sc_ring_create(8, 7, 0, &ring));
    CHECK_EQUAL(-EINVAL, sc_ring_create(8, 0, 1u << 31, &ring));
    CHECK_EQUAL(-EINVAL, sc_ring_create(8, 0, 0, NULL));
    CHECK(ring == NULL);
}

TEST(sizes_are_rounded_and_clamped)
{
    sc_ring *ring = ring_create(5, 0, 0);
    CHECK_EQUAL(8, properties(ring).submission_entries);
    CHECK_EQUAL(16, properties(ring).completion_entries);
    CHECK(properties(ring).mapped_bytes >= 8 * 64 + 16 * 16);
    CHECK(properties(ring).fd >= 0);
    ring_destroy(ring);

    ring = ring_create(5, 100, 0);
    CHECK_EQUAL(128, properties(ring).completion_entries);
    ring_destroy(ring);

    ring = ring_create(UINT32_MAX, 0, 0);
    CHECK_EQUAL(32768, properties(ring).submission_entries);
    CHECK_EQUAL(65536, properties(ring).completion_entries);
    ring_destroy(ring);
}

TEST(flags_are_granted_or_left_out)
{
    sc_ring *ring = ring_create(4, 0, 0);
    CHECK_EQUAL(0, properties(ring).flags);
    ring_destroy(ring);

    int64_t capabilities = sc_capabilities();
    ring = ring_create(4, 0, SC_RING_DEFER_TASKRUN);
    if (capabilities & SC_CAPABILITY_DEFER_TASKRUN) {
        CHECK_EQUAL(SC_RING_DEFER_TASKRUN | SC_RING_SINGLE_ISSUER, properties(ring).flags);
    }
    ring_destroy(ring);

    ring = ring_create(4, 0, ALL_WISHES);
    CHECK_EQUAL((capabilities & SC_CAPABILITY_COOP_TASKRUN) != 0, (properties(ring).flags & SC_RING_COOP_TASKRUN) != 0);
    CHECK_EQUAL((capabilities & SC_CAPABILITY_SINGLE_ISSUER) != 0, (properties(ring).flags & SC_RING_SINGLE_ISSUER) != 0);
    CHECK_EQUAL((capabilities & SC_CAPABILITY_DEFER_TASKRUN) != 0, (properties(ring).flags & SC_RING_DEFER_TASKRUN) != 0);
    CHECK_EQUAL(0, ring_run(ring, request_nop(1)));
    ring_destroy(ring);
}

static void run_nops(uint32_t entries, uint32_t flags, uint32_t rounds)
{
    sc_ring *ring = ring_create(entries, 0, flags);
    uint64_t next = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        sc_request requests[8];
        for (uint32_t i = 0; i < entries; i++) {
            requests[i] = request_nop(next + i);
        }
        CHECK_EQUAL(entries, sc_ring_space(ring));
        CHECK_EQUAL(entries, sc_ring_prepare(ring, requests, entries));
        CHECK_EQUAL(0, sc_ring_space(ring));
        CHECK_EQUAL(0, sc_ring_prepare(ring, requests, 1));
        CHECK_EQUAL(entries, sc_ring_outstanding(ring));
        CHECK_EQUAL(entries, sc_ring_enter(ring, entries, 10 * SECOND));
        CHECK_EQUAL(SC_COMPLETIONS_READY, sc_ring_has_completions(ring));

        sc_completion completions[8];
        CHECK_EQUAL(entries, sc_ring_reap(ring, completions, 8));
        for (uint32_t i = 0; i < entries; i++) {
            CHECK_EQUAL(next + i, completions[i].user_data);
            CHECK_EQUAL(0, completions[i].result);
            CHECK_EQUAL(0, completions[i].flags);
        }
        next += entries;
        CHECK_EQUAL(0, sc_ring_reap(ring, completions, 8));
        CHECK_EQUAL(0, sc_ring_has_completions(ring));
        CHECK_EQUAL(0, sc_ring_outstanding(ring));
    }
    ring_destroy(ring);
}

TEST(a_ring_of_depth_one)
{
    run_nops(1, 0, 1000);
    run_nops(1, ALL_WISHES, 1000);
}

TEST(a_ring_goes_round)
{
    run_nops(8, 0, 1000);
    run_nops(8, SC_RING_COOP_TASKRUN, 1000);
    run_nops(8, SC_RING_DEFER_TASKRUN, 1000);
}

TEST(a_full_queue_takes_what_fits)
{
    sc_ring *ring = ring_create(4, 0, 0);
    sc_request requests[6];
    for (uint32_t i = 0; i < 6; i++) {
        requests[i] = request_nop(i);
    }
    CHECK_EQUAL(4, sc_ring_prepare(ring, requests, 6));
    CHECK_EQUAL(4, sc_ring_enter(ring, 0, 0));
    CHECK_EQUAL(2, sc_ring_prepare(ring, requests + 4, 2));
    CHECK_EQUAL(2, sc_ring_enter(ring, 6, SECOND));

    sc_completion completions[6];
    CHECK_EQUAL(3, sc_ring_reap(ring, completions, 3));
    CHECK_EQUAL(3, sc_ring_reap(ring, completions + 3, 6));
    for (uint32_t i = 0; i < 6; i++) {
        CHECK_EQUAL(i, completions[i].user_data);
    }
    ring_destroy(ring);
}

static void refused(sc_request request)
{
    sc_ring *ring = ring_create(4, 0, 0);
    CHECK_EQUAL(-EINVAL, sc_ring_prepare(ring, &request, 1));

    /* Those before it go; it shows when it comes first. */
    sc_request requests[3] = {request_nop(1), request, request_nop(2)};
    CHECK_EQUAL(1, sc_ring_prepare(ring, requests, 3));
    CHECK_EQUAL(-EINVAL, sc_ring_prepare(ring, requests + 1, 2));
    CHECK_EQUAL(1, sc_ring_enter(ring, 1, SECOND));
    CHECK_EQUAL(1, ring_next(ring).user_data);
    ring_destroy(ring);
}

TEST(invalid_requests_are_refused)
{
    char memory[8] = {0};
    sc_request read = request_transfer(SC_OPERATION_READ, 0, 0, memory, 8, 1);
    sc_request request = read;
    request.operation = SC_OPERATION_CANCEL + 1;
    refused(request);
    request = read;
    request.flags = 1u << 7;
    refused(request);
    request = read;
    request.buffer_index = 1;
    refused(request);
    request = read;
    request.transfer_flags = 0x10;
    refused(request);

    request = request_nop(1);
    request.flags = SC_REQUEST_FIXED_FILE;
    refused(request);
    request = request_nop(1);
    request.fd = 3;
    refused(request);
    request = request_nop(1);
    request.address = 3;
    refused(request);

    request = request_sync(SC_OPERATION_FSYNC, 0, 1);
    request.flags = SC_REQUEST_FIXED_BUFFER;
    refused(request);
    request = request_sync(SC_OPERATION_FSYNC, 0, 1);
    request.length = 1;
    refused(request);
    request = request_sync(SC_OPERATION_FDATASYNC, 0, 1);
    request.offset = 1;
    refused(request);
    request = request_sync(SC_OPERATION_FDATASYNC, 0, 1);
    request.transfer_flags = SC_TRANSFER_SYNC;
    refused(request);
    request = request_cancel(1, 2);
    request.length = 1;
    refused(request);
}

TEST(a_request_that_the_kernel_refuses_completes_and_holds_up_nobody)
{
    sc_ring *ring = ring_create(4, 0, 0);
    char memory[8] = {0};
    sc_request requests[3] = {
        request_nop(1),
        request_transfer(SC_OPERATION_READ, -1, 0, memory, 8, 2),
        request_nop(3),
    };
    CHECK_EQUAL(3, sc_ring_prepare(ring, requests, 3));
    int32_t submitted = sc_ring_enter(ring, 0, 0);
    if ((properties(ring).features & SC_RING_FEATURE_SUBMIT_ALL) == 0 && submitted < 3) {
        CHECK_EQUAL(3 - submitted, sc_ring_enter(ring, 0, 0));
    } else {
        CHECK_EQUAL(3, submitted);
    }

    int32_t results[4] = {77, 77, 77, 77};
    for (int i = 0; i < 3; i++) {
        sc_completion completion = ring_next(ring);
        results[completion.user_data] = completion.result;
    }
    CHECK_EQUAL(0, results[1]);
    CHECK_EQUAL(-EBADF, results[2]);
    CHECK_EQUAL(0, results[3]);
    ring_destroy(ring);
}

TEST(nothing_to_do_is_no_system_call)
{
    sc_ring *ring = ring_create(4, 0, 0);
    CHECK_EQUAL(0, sc_ring_enter(ring, 0, -1));
    CHECK_EQUAL(0, sc_ring_wait(ring, 0, -1));
    ring_submit(ring, request_nop(1));
    CHECK_EQUAL(0, sc_ring_wait(ring, 1, -1));
    CHECK_EQUAL(0, sc_ring_enter(ring, 1, -1));
    CHECK_EQUAL(1, ring_next(ring).user_data);
    ring_destroy(ring);
}

TEST(what_was_prepared_and_not_submitted_is_forgotten)
{
    sc_ring *ring = ring_create(4, 0, 0);
    sc_request request = request_nop(1);
    CHECK_EQUAL(1, sc_ring_prepare(ring, &request, 1));
    CHECK_EQUAL(1, sc_ring_outstanding(ring));
    ring_destroy(ring);
}

TEST(a_disabled_ring_waits_to_be_enabled)
{
    sc_ring *ring = ring_create(4, 0, SC_RING_DISABLED);
    CHECK_EQUAL(SC_RING_DISABLED, properties(ring).flags);
    sc_request request = request_nop(1);
    CHECK_EQUAL(1, sc_ring_prepare(ring, &request, 1));
    CHECK_EQUAL(-EBADFD, sc_ring_enter(ring, 0, 0));
    CHECK_EQUAL(-EBADFD, sc_ring_wait(ring, 1, SECOND));
    CHECK_EQUAL(0, sc_ring_enable(ring));
    CHECK_EQUAL(-EBADFD, sc_ring_enable(ring));
    CHECK_EQUAL(1, sc_ring_enter(ring, 1, SECOND));
    CHECK_EQUAL(1, ring_next(ring).user_data);
    ring_destroy(ring);
}

static void find_no_queues(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps != NULL);
    char line[512];
    while (fgets(line, sizeof(line), maps) != NULL) {
        CHECK(strstr(line, "io_uring") == NULL);
    }
    fclose(maps);
}

/* N-15. */
TEST(a_child_has_no_part_in_the_queues)
{
    sc_ring *ring = ring_create(4, 0, 0);
    CHECK_IN_CHILD(find_no_queues);
    CHECK_EQUAL(0, ring_run(ring, request_nop(1)));
    ring_destroy(ring);
}
