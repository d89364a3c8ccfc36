/* The submit side of a ring, and waiting. */
#include "ring_internal.h"

#include <string.h>

#define NANOSECONDS_PER_SECOND 1000000000ll

#define KNOWN_TRANSFER_FLAGS                                                                                           \
    (SC_TRANSFER_POLL | SC_TRANSFER_DATA_SYNC | SC_TRANSFER_SYNC | SC_TRANSFER_NO_WAIT)

/* What becomes of an operation. */
typedef struct operation {
    uint8_t opcode;
    uint8_t fixed_opcode; /* with SC_REQUEST_FIXED_BUFFER; 0 where that is no flag of the operation */
    uint8_t has_fd;
    uint8_t has_offset;
    uint8_t has_address;
    uint8_t has_length;
    uint32_t op_flags;
} operation;

static const operation operations[] = {
    [SC_OPERATION_NOP] = {.opcode = SCK_OP_NOP},
    [SC_OPERATION_READ] =
        {.opcode = SCK_OP_READ, .fixed_opcode = SCK_OP_READ_FIXED, .has_fd = 1, .has_offset = 1, .has_address = 1, .has_length = 1},
    [SC_OPERATION_WRITE] =
        {.opcode = SCK_OP_WRITE, .fixed_opcode = SCK_OP_WRITE_FIXED, .has_fd = 1, .has_offset = 1, .has_address = 1, .has_length = 1},
    [SC_OPERATION_READ_VECTORED] =
        {.opcode = SCK_OP_READV, .fixed_opcode = SCK_OP_READV_FIXED, .has_fd = 1, .has_offset = 1, .has_address = 1, .has_length = 1},
    [SC_OPERATION_WRITE_VECTORED] =
        {.opcode = SCK_OP_WRITEV, .fixed_opcode = SCK_OP_WRITEV_FIXED, .has_fd = 1, .has_offset = 1, .has_address = 1, .has_length = 1},
    [SC_OPERATION_FSYNC] = {.opcode = SCK_OP_FSYNC, .has_fd = 1},
    [SC_OPERATION_FDATASYNC] = {.opcode = SCK_OP_FSYNC, .has_fd = 1, .op_flags = SCK_FSYNC_DATASYNC},
    [SC_OPERATION_CANCEL] = {.opcode = SCK_OP_ASYNC_CANCEL, .has_address = 1},
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static int check(const sc_ring *ring, const sc_request *request, const operation *what)
{
    uint32_t known = (what->has_fd ? SC_REQUEST_FIXED_FILE : 0u) | (what->fixed_opcode ? SC_REQUEST_FIXED_BUFFER : 0u);
    bool fixed_buffer = (request->flags & SC_REQUEST_FIXED_BUFFER) != 0;
    if ((request->flags & ~known) != 0 || (request->transfer_flags & ~KNOWN_TRANSFER_FLAGS) != 0) {
        return -EINVAL;
    }

    /* Strict now, so that what is unused today can come to mean something later. */
    if ((!what->has_fd && request->fd != 0) || (!what->has_offset && request->offset != 0)
        || (!what->has_address && request->address != 0) || (!what->has_length && request->length != 0)
        || (!what->fixed_opcode && request->transfer_flags != 0) || (!fixed_buffer && request->buffer_index != 0)) {
        return -EINVAL;
    }

    bool vectored = what->opcode == SCK_OP_READV || what->opcode == SCK_OP_WRITEV;
    if (fixed_buffer && vectored && (ring->features & SC_RING_FEATURE_FIXED_VECTORS) == 0) {
        return -EOPNOTSUPP;
    }
    return 0;
}

static int translate(const sc_ring *ring, const sc_request *request, sck_sqe *entry)
{
    if (request->operation >= OPERATIONS) {
        return -EINVAL;
    }

    const operation *what = &operations[request->operation];
    int error = check(ring, request, what);
    if (error < 0) {
        return error;
    }

    bool fixed_buffer = (request->flags & SC_REQUEST_FIXED_BUFFER) != 0;
    memset(entry, 0, sizeof(*entry));
    entry->opcode = fixed_buffer ? what->fixed_opcode : what->opcode;
    entry->flags = request->flags & SC_REQUEST_FIXED_FILE ? SCK_SQE_FIXED_FILE : 0;
    entry->fd = what->has_fd ? request->fd : -1;
    entry->off = request->offset;
    entry->addr = request->address;
    entry->len = request->length;
    entry->op_flags = what->op_flags | request->transfer_flags;
    entry->user_data = request->user_data;
    entry->buf_index = request->buffer_index;
    return 0;
}

int32_t sc_ring_prepare(sc_ring *ring, const sc_request *requests, uint32_t count)
{
    /*
     * The tail is this side's own. The head is the kernel's: acquire, for what it has not read yet must not be
     * overwritten.
     */
    uint32_t tail = sc_relaxed(ring->sq_tail);
    uint32_t space = ring->sq_entries - (tail - sc_acquire(ring->sq_head));
    if (count > space) {
        count = space;
    }

    int error = 0;
    uint32_t prepared = 0;
    while (prepared < count) {
        error = translate(ring, &requests[prepared], &ring->sqes[(tail + prepared) & ring->sq_mask]);
        if (error < 0) {
            break;
        }
        prepared++;
    }

    if (prepared == 0) {
        return error;
    }
    SC_BEFORE_KERNEL(ring);
    sc_release(ring->sq_tail, tail + prepared);
    return (int32_t)prepared;
}

int32_t sc_ring_space(const sc_ring *ring)
{
    return (int32_t)(ring->sq_entries - (sc_relaxed(ring->sq_tail) - sc_acquire(ring->sq_head)));
}

/* Whether a system call would bring completions that the queue does not show. */
static bool kernel_holds_completions(const sc_ring *ring)
{
    return (sc_acquire(ring->sq_flags) & (SCK_SQ_CQ_OVERFLOW | SCK_SQ_TASKRUN)) != 0;
}

static uint32_t completions_ready(const sc_ring *ring)
{
    /*
     * The head first: it never passes the tail, so a tail read afterwards cannot be behind it, however far the reap
     * side gets in between.
     */
    uint32_t head = sc_acquire(ring->cq_head);
    uint32_t ready = sc_acquire(ring->cq_tail) - head;
    return ready < ring->cq_entries ? ready : ring->cq_entries;
}

static int32_t enter(const sc_ring *ring, uint32_t submit, uint32_t min_complete, int64_t timeout_ns)
{
    /* The kernel counts what is there already, too. */
    if (timeout_ns == 0 || completions_ready(ring) >= min_complete) {
        min_complete = 0;
    }

    uint32_t flags = 0;
    if (min_complete != 0 || kernel_holds_completions(ring)) {
        flags = SCK_ENTER_GETEVENTS;
    } else if (submit == 0) {
        return 0;
    }

    if (min_complete == 0 || timeout_ns < 0) {
        return (int32_t)sc_result(
            syscall(SCK_NR_IO_URING_ENTER, ring->fd, submit, min_complete, flags, NULL, (size_t)0));
    }

    sck_timespec timeout = {
        .tv_sec = timeout_ns / NANOSECONDS_PER_SECOND,
        .tv_nsec = timeout_ns % NANOSECONDS_PER_SECOND,
    };
    sck_getevents_arg argument = {.ts = sc_address(&timeout)};
    return (int32_t)sc_result(syscall(
        SCK_NR_IO_URING_ENTER, ring->fd, submit, min_complete, flags | SCK_ENTER_EXT_ARG, &argument, sizeof(argument)));
}

int32_t sc_ring_enter(sc_ring *ring, uint32_t min_complete, int64_t timeout_ns)
{
    /* Counted anew every time, so that what an earlier call left behind goes with this one. */
    uint32_t submit = sc_relaxed(ring->sq_tail) - sc_acquire(ring->sq_head);
    return enter(ring, submit, min_complete, timeout_ns);
}

int32_t sc_ring_wait(sc_ring *ring, uint32_t min_complete, int64_t timeout_ns)
{
    /* Submitting nothing, whatever is prepared, is what lets this run beside the submit side. */
    int32_t result = enter(ring, 0, min_complete, timeout_ns);
    return result < 0 ? result : 0;
}

int32_t sc_ring_has_completions(const sc_ring *ring)
{
    uint32_t state = completions_ready(ring) != 0 ? SC_COMPLETIONS_READY : 0u;
    return (int32_t)(state | (kernel_holds_completions(ring) ? SC_COMPLETIONS_HELD : 0u));
}

int32_t sc_ring_outstanding(const sc_ring *ring)
{
    /*
     * What has come out is read before what has gone in, so that the difference is never too low. The queue's tail is
     * what has gone in, and not its head: the kernel moves the head at the end of a submission, when the first
     * completions of it may have been reaped already.
     */
    uint32_t out = sc_ring_finished(ring);
    return (int32_t)(sc_acquire(ring->sq_tail) - out);
}
