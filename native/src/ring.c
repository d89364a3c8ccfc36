/* Creating and ending rings. */
#include "ring_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* sc_completion is the kernel's struct io_uring_cqe, so that reaping is a copy. */
_Static_assert(sizeof(sc_completion) == 16 && offsetof(sc_completion, result) == 8, "struct io_uring_cqe");

/*
 * What a ring cannot do without: completions are never dropped for want of room (NODROP), what a request points to is
 * copied when it is submitted (SUBMIT_STABLE), waits can time out (EXT_ARG). Linux 5.11.
 */
#define REQUIRED_FEATURES (SCK_FEAT_SINGLE_MMAP | SCK_FEAT_NODROP | SCK_FEAT_SUBMIT_STABLE | SCK_FEAT_EXT_ARG)

#define KNOWN_FLAGS (SC_RING_SINGLE_ISSUER | SC_RING_DEFER_TASKRUN | SC_RING_COOP_TASKRUN | SC_RING_DISABLED)

static uint32_t setup_flags(uint32_t flags)
{
    uint32_t setup = SCK_SETUP_CQSIZE | SCK_SETUP_CLAMP | SCK_SETUP_SUBMIT_ALL;
    if (flags & SC_RING_DISABLED) {
        setup |= SCK_SETUP_R_DISABLED;
    }
    if (flags & (SC_RING_SINGLE_ISSUER | SC_RING_DEFER_TASKRUN)) {
        setup |= SCK_SETUP_SINGLE_ISSUER;
    }

    /* TASKRUN_FLAG makes the kernel say that work waits for a system call; sc_ring_has_completions relies on it. */
    if (flags & SC_RING_COOP_TASKRUN) {
        setup |= SCK_SETUP_COOP_TASKRUN | SCK_SETUP_TASKRUN_FLAG;
    }
    if (flags & SC_RING_DEFER_TASKRUN) {
        setup |= SCK_SETUP_DEFER_TASKRUN | SCK_SETUP_TASKRUN_FLAG;
    }
    return setup;
}

static uint32_t granted_flags(uint32_t setup)
{
    uint32_t flags = 0;
    flags |= setup & SCK_SETUP_R_DISABLED ? SC_RING_DISABLED : 0;
    flags |= setup & SCK_SETUP_SINGLE_ISSUER ? SC_RING_SINGLE_ISSUER : 0;
    flags |= setup & SCK_SETUP_COOP_TASKRUN ? SC_RING_COOP_TASKRUN : 0;
    flags |= setup & SCK_SETUP_DEFER_TASKRUN ? SC_RING_DEFER_TASKRUN : 0;
    return flags;
}

/* The newest wish goes first: a kernel that does not know one of them knows none that is newer. */
static uint32_t drop_newest(uint32_t setup)
{
    if (setup & SCK_SETUP_DEFER_TASKRUN) {
        setup &= ~SCK_SETUP_DEFER_TASKRUN;
        return setup & SCK_SETUP_COOP_TASKRUN ? setup : setup & ~SCK_SETUP_TASKRUN_FLAG;
    }
    if (setup & SCK_SETUP_SINGLE_ISSUER) {
        return setup & ~SCK_SETUP_SINGLE_ISSUER;
    }
    if (setup & SCK_SETUP_COOP_TASKRUN) {
        return setup & ~(SCK_SETUP_COOP_TASKRUN | SCK_SETUP_TASKRUN_FLAG);
    }
    return setup & ~SCK_SETUP_SUBMIT_ALL;
}

static int open_ring(uint32_t entries, uint32_t completion_entries, uint32_t flags, sck_params *params)
{
    uint32_t setup = setup_flags(flags);
    for (;;) {
        memset(params, 0, sizeof(*params));
        params->flags = setup;
        params->cq_entries = completion_entries;
        int fd = (int)sc_result(syscall(SCK_NR_IO_URING_SETUP, entries, params));
        uint32_t less = drop_newest(setup);
        if (fd != -EINVAL || less == setup) {
            return fd;
        }
        setup = less;
    }
}

static void *map_queue(int fd, int64_t offset, size_t bytes)
{
    void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
    if (address == MAP_FAILED) {
        return NULL;
    }

    /* A child that shared the queues could move their heads and tails under the parent. */
    (void)madvise(address, bytes, MADV_DONTFORK);
    return address;
}

static int map_queues(sc_ring *ring, const sck_params *params)
{
    size_t sq_bytes = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
    size_t cq_bytes = params->cq_off.cqes + params->cq_entries * sizeof(sc_completion);
    ring->queues_bytes = sq_bytes > cq_bytes ? sq_bytes : cq_bytes;
    ring->sqes_bytes = params->sq_entries * sizeof(sck_sqe);

    ring->queues = map_queue(ring->fd, SCK_OFF_SQ_RING, ring->queues_bytes);
    if (ring->queues == NULL) {
        return -errno;
    }
    ring->sqes = map_queue(ring->fd, SCK_OFF_SQES, ring->sqes_bytes);
    if (ring->sqes == NULL) {
        return -errno;
    }

    uint8_t *base = ring->queues;
    ring->sq_entries = params->sq_entries;
    ring->sq_mask = params->sq_entries - 1;
    ring->sq_head = (_Atomic uint32_t *)(base + params->sq_off.head);
    ring->sq_tail = (_Atomic uint32_t *)(base + params->sq_off.tail);
    ring->sq_flags = (_Atomic uint32_t *)(base + params->sq_off.flags);
    ring->cq_entries = params->cq_entries;
    ring->cq_mask = params->cq_entries - 1;
    ring->cq_head = (_Atomic uint32_t *)(base + params->cq_off.head);
    ring->cq_tail = (_Atomic uint32_t *)(base + params->cq_off.tail);
    ring->cq_overflow = (_Atomic uint32_t *)(base + params->cq_off.overflow);
    ring->cqes = (const sc_completion *)(base + params->cq_off.cqes);

    /* The queue goes through an array of indices into the entries; entry n always stands at n. */
    uint32_t *array = (uint32_t *)(base + params->sq_off.array);
    for (uint32_t i = 0; i < params->sq_entries; i++) {
        array[i] = i;
    }
    return 0;
}

static bool supports(const sck_probe *probe, uint32_t operation)
{
    return operation < probe->ops_len && operation < SCK_PROBE_OPS
        && (probe->ops[operation].flags & SCK_OP_SUPPORTED) != 0;
}

/* A process that may not ask (seccomp) does without what it would have to ask for. */
static bool has_fixed_vectors(const sc_ring *ring)
{
    sck_probe probe;
    memset(&probe, 0, sizeof(probe));
    return sc_ring_register(ring, SCK_REGISTER_PROBE, &probe, SCK_PROBE_OPS) >= 0
        && supports(&probe, SCK_OP_READV_FIXED) && supports(&probe, SCK_OP_WRITEV_FIXED);
}

static void free_ring(sc_ring *ring)
{
    if (ring->sqes != NULL) {
        (void)munmap(ring->sqes, ring->sqes_bytes);
    }
    if (ring->queues != NULL) {
        (void)munmap(ring->queues, ring->queues_bytes);
    }
    (void)close(ring->fd);
    free(ring);
}

int32_t sc_ring_create(uint32_t entries, uint32_t completion_entries, uint32_t flags, sc_ring **ring)
{
    if (ring == NULL || entries == 0 || (flags & ~KNOWN_FLAGS) != 0) {
        return -EINVAL;
    }
    if (completion_entries == 0) {
        completion_entries = entries > UINT32_MAX / 2 ? UINT32_MAX : 2 * entries;
    }
    if (completion_entries < entries) {
        return -EINVAL;
    }

    sc_ring *created = calloc(1, sizeof(*created));
    if (created == NULL) {
        return -ENOMEM;
    }

    sck_params params;
    created->fd = open_ring(entries, completion_entries, flags, &params);
    if (created->fd < 0) {
        int error = created->fd;
        free(created);
        return error;
    }

    created->flags = granted_flags(params.flags);
    created->kernel_features = params.features;
    int error = (params.features & REQUIRED_FEATURES) == REQUIRED_FEATURES ? map_queues(created, &params) : -EOPNOTSUPP;
    if (error < 0) {
        free_ring(created);
        return error;
    }

    created->features |= params.flags & SCK_SETUP_SUBMIT_ALL ? SC_RING_FEATURE_SUBMIT_ALL : 0;
    created->features |= has_fixed_vectors(created) ? SC_RING_FEATURE_FIXED_VECTORS : 0;
    *ring = created;
    return 0;
}

int32_t sc_ring_info(const sc_ring *ring, sc_ring_properties *properties)
{
    *properties = (sc_ring_properties){
        .fd = ring->fd,
        .flags = ring->flags,
        .features = ring->features,
        .kernel_features = ring->kernel_features,
        .submission_entries = ring->sq_entries,
        .completion_entries = ring->cq_entries,
        .mapped_bytes = ring->queues_bytes + ring->sqes_bytes,
    };
    return 0;
}

int32_t sc_ring_enable(sc_ring *ring)
{
    return sc_ring_register(ring, SCK_REGISTER_ENABLE_RINGS, NULL, 0);
}

int32_t sc_ring_destroy(sc_ring *ring)
{
    /* Nobody else is at work here, so the head says exactly what the kernel has taken. */
    if (sc_acquire(ring->sq_head) != sc_ring_finished(ring)) {
        return -EBUSY;
    }

    free_ring(ring);
    return 0;
}
