/* Short ways to use a ring. */
#ifndef SC_TEST_REQUESTS_H
#define SC_TEST_REQUESTS_H

#include "testing.h"

#define SECOND 1000000000ll

/* A ring, or the test ends: skipped if this process cannot have one at all. */
sc_ring *ring_create(uint32_t entries, uint32_t completion_entries, uint32_t flags);

/* Ends a ring that has nothing left to do. */
void ring_destroy(sc_ring *ring);

sc_request request_nop(uint64_t user_data);
sc_request request_transfer(
    uint8_t operation, int fd, uint64_t offset, const void *memory, uint32_t length, uint64_t user_data);
sc_request request_sync(uint8_t operation, int fd, uint64_t user_data);
sc_request request_cancel(uint64_t target, uint64_t user_data);

/* Prepares and submits one request; the queue has room for it. */
void ring_submit(sc_ring *ring, sc_request request);

/* Waits for a completion, ten seconds at most, and takes it. */
sc_completion ring_next(sc_ring *ring);

/* Submits one request, waits for its completion, the only one there is, and returns its result. */
int32_t ring_run(sc_ring *ring, sc_request request);

#endif
