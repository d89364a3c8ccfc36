/* What the files of the ring share. */
#ifndef SC_RING_INTERNAL_H
#define SC_RING_INTERNAL_H

#include "internal.h"

#include <stdatomic.h>

/*
 * Written by sc_ring_create and only read afterwards: all that changes is in the words that the kernel shares, so the
 * two sides have nothing else in common that they could race on.
 *
 * Who writes what:
 *   sq_tail   submit side, with release: the entries before it are complete
 *   sq_head   kernel, with release: it has copied the entries before it
 *   cq_tail   kernel, with release: the completions before it are complete
 *   cq_head   reap side, with release: it has copied the completions before it
 *   sq_flags, cq_overflow   kernel
 * Everybody else reads them with acquire. All but sq_flags count up and wrap at 2^32.
 */
struct sc_ring {
    int fd;
    uint32_t flags;
    uint32_t features;
    uint32_t kernel_features;

    uint32_t sq_entries;
    uint32_t sq_mask;
    _Atomic uint32_t *sq_head;
    _Atomic uint32_t *sq_tail;
    _Atomic uint32_t *sq_flags;
    sck_sqe *sqes;

    uint32_t cq_entries;
    uint32_t cq_mask;
    _Atomic uint32_t *cq_head;
    _Atomic uint32_t *cq_tail;
    _Atomic uint32_t *cq_overflow;
    const sc_completion *cqes;

    void *queues;
    size_t queues_bytes;
    size_t sqes_bytes;
};

static inline uint32_t sc_acquire(const _Atomic uint32_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static inline uint32_t sc_relaxed(const _Atomic uint32_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static inline void sc_release(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

/* Requests whose completion has been reaped, or counted by the kernel as lost: each request has exactly one. */
static inline uint32_t sc_ring_finished(const struct sc_ring *ring)
{
    return sc_acquire(ring->cq_head) + sc_acquire(ring->cq_overflow);
}

/*
 * A completion comes after the preparation of its request: the kernel reads the one before it writes the other. The
 * thread sanitizer does not see the kernel, and has to be told.
 */
#if defined(__SANITIZE_THREAD__)
#define SC_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SC_THREAD_SANITIZER 1
#endif
#endif

#ifdef SC_THREAD_SANITIZER
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define SC_BEFORE_KERNEL(ring) __tsan_release(ring)
#define SC_AFTER_KERNEL(ring) __tsan_acquire(ring)
#else
#define SC_BEFORE_KERNEL(ring) ((void)(ring))
#define SC_AFTER_KERNEL(ring) ((void)(ring))
#endif

/* io_uring_register. */
static inline int32_t sc_ring_register(const sc_ring *ring, uint32_t operation, const void *argument, uint32_t count)
{
    return (int32_t)sc_result(syscall(SCK_NR_IO_URING_REGISTER, ring->fd, operation, argument, count));
}

#endif
