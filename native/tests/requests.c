#include "requests.h"

sc_ring *ring_create(uint32_t entries, uint32_t completion_entries, uint32_t flags)
{
    sc_ring *ring;
    int32_t result = sc_ring_create(entries, completion_entries, flags, &ring);
    if (result == -ENOSYS || result == -EPERM || result == -EOPNOTSUPP) {
        test_skip("no io_uring here: %s", strerror(-result));
    }
    CHECK_EQUAL(0, result);
    return ring;
}

void ring_destroy(sc_ring *ring)
{
    CHECK_EQUAL(0, sc_ring_destroy(ring));
}

sc_request request_nop(uint64_t user_data)
{
    return (sc_request){.operation = SC_OPERATION_NOP, .user_data = user_data};
}

sc_request request_transfer(
    uint8_t operation, int fd, uint64_t offset, const void *memory, uint32_t length, uint64_t user_data)
{
    return (sc_request){
        .operation = operation,
        .fd = fd,
        .offset = offset,
        .address = (uint64_t)(uintptr_t)memory,
        .length = length,
        .user_data = user_data,
    };
}

sc_request request_sync(uint8_t operation, int fd, uint64_t user_data)
{
    return (sc_request){.operation = operation, .fd = fd, .user_data = user_data};
}

sc_request request_cancel(uint64_t target, uint64_t user_data)
{
    return (sc_request){.operation = SC_OPERATION_CANCEL, .address = target, .user_data = user_data};
}

void ring_submit(sc_ring *ring, sc_request request)
{
    CHECK_EQUAL(1, sc_ring_prepare(ring, &request, 1));
    CHECK_EQUAL(1, sc_ring_enter(ring, 0, 0));
}

sc_completion ring_next(sc_ring *ring)
{
    sc_completion completion;
    for (;;) {
        int32_t result = sc_ring_wait(ring, 1, 10 * SECOND);
        if (result != -EINTR) {
            CHECK_EQUAL(0, result);
        }
        if (sc_ring_reap(ring, &completion, 1) == 1) {
            return completion;
        }
    }
}

int32_t ring_run(sc_ring *ring, sc_request request)
{
    ring_submit(ring, request);
    sc_completion completion = ring_next(ring);
    CHECK_EQUAL(request.user_data, completion.user_data);
    return completion.result;
}
