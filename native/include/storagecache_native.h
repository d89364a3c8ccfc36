/*
 * StorageCache's native library: the kernel interfaces that the managed engine cannot reach well by itself.
 *
 * Linux, x86-64 and arm64. Everything exported is in this header and begins with sc_.
 *
 * Results. A function returns a value >= 0 (a count, a descriptor, 0 where there is nothing to say) or a negative errno
 * (-EINVAL, -EAGAIN, ...). errno itself is not part of the interface. What a function writes through a pointer is
 * written only when it succeeds, unless it says otherwise.
 *
 * State. The library has none of its own: no globals that change, no threads, no signal handlers. sc_ring_create
 * allocates the ring; nothing else allocates.
 *
 * Threads. A function may be called from any thread at any time, unless its comment says what has to be in order.
 */
#ifndef STORAGECACHE_NATIVE_H
#define STORAGECACHE_NATIVE_H

#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SC_EXPORT __attribute__((visibility("default")))

/* ---------------------------------------------------------------------------------------------- version, layout -- */

/* Moves with every change that a caller built against an older header would notice. */
#define SC_ABI_VERSION 1

/* SC_ABI_VERSION of the header that the library was built with. */
SC_EXPORT int32_t sc_abi_version(void);

/* Which structure sc_struct_layout describes. */
enum {
    SC_STRUCT_REQUEST = 0,
    SC_STRUCT_COMPLETION = 1,
    SC_STRUCT_RING_PROPERTIES = 2,
    SC_STRUCT_EXTENT = 3,
    SC_STRUCT_IOVEC = 4
};

/*
 * How a structure lies in memory, for callers that declare it anew in another language: its size, its alignment, then
 * the offset of each field in order of declaration, in bytes.
 *
 * Returns how many values there are; at most capacity of them are written to values.
 * -EINVAL: no such structure.
 */
SC_EXPORT int32_t sc_struct_layout(uint32_t structure, uint32_t *values, uint32_t capacity);

/* -------------------------------------------------------------------------------------------------- capabilities -- */

/* io_uring: a ring can be created by this process now (kernel 5.11, no seccomp filter or sysctl against it). */
#define SC_CAPABILITY_RING (1u << 0)
/* Memory can be registered with a ring; how much, RLIMIT_MEMLOCK decides. */
#define SC_CAPABILITY_FIXED_BUFFERS (1u << 1)
/* Descriptors can be registered with a ring. */
#define SC_CAPABILITY_FIXED_FILES (1u << 2)
/* Vectored transfers may use registered memory (kernel 6.15). */
#define SC_CAPABILITY_FIXED_VECTORS (1u << 3)
/* SC_RING_COOP_TASKRUN is granted (kernel 5.19). */
#define SC_CAPABILITY_COOP_TASKRUN (1u << 4)
/* SC_RING_SINGLE_ISSUER is granted (kernel 6.0). */
#define SC_CAPABILITY_SINGLE_ISSUER (1u << 5)
/* SC_RING_DEFER_TASKRUN is granted (kernel 6.1). */
#define SC_CAPABILITY_DEFER_TASKRUN (1u << 6)
/* A wait takes a time-out (IORING_ENTER_EXT_ARG, kernel 5.11). Comes with SC_CAPABILITY_RING. */
#define SC_CAPABILITY_TIMEOUTS (1u << 7)
/* sc_extents is there. Whether a file system answers it, only the call on a file of it says. */
#define SC_CAPABILITY_EXTENTS (1u << 8)
/* sc_clone and sc_clone_range are there. Whether a file system can, only the call on a file of it says. */
#define SC_CAPABILITY_CLONE (1u << 9)
/* Memory with two views can be created by this process now. */
#define SC_CAPABILITY_SHARED_MEMORY (1u << 10)
/* The kernel gives private memory huge pages when it is advised to. */
#define SC_CAPABILITY_HUGE_PAGES (1u << 11)

/*
 * What this process can do now: SC_CAPABILITY_* bits, or'ed.
 *
 * Finds out by trying: a dozen system calls, so ask once and keep the answer. Never fails; what cannot be had is a
 * missing bit.
 */
SC_EXPORT int64_t sc_capabilities(void);

/* ---------------------------------------------------------------------------------------------------------- ring -- */

/*
 * A ring: a queue of requests to the kernel and a queue of their completions (io_uring).
 *
 *   sc_ring_prepare --> submission queue --> sc_ring_enter --> kernel --> completion queue --> sc_ring_reap
 *
 * Threads. There are two sides, and each is the caller's to serialise:
 *   submit side:  prepare, enter, space, register and unregister
 *   reap side:    reap
 * The sides may run in parallel with each other, and with any number of threads in sc_ring_wait. Serialised means that
 * one call happens before the next, as under a lock. sc_ring_create happens before all, sc_ring_destroy after all.
 *
 * With SC_RING_SINGLE_ISSUER granted the kernel lets one thread alone call enter, register and unregister; with
 * SC_RING_DEFER_TASKRUN also wait. That thread is the one that created the ring, or enabled it if it was created with
 * SC_RING_DISABLED. Other threads get -EEXIST.
 *
 * Memory. The buffers of a request belong to the kernel from the moment it is prepared until its completion is reaped;
 * what they lie in must not be unmapped, discarded or used otherwise before. An array of iovecs and a descriptor have to
 * live only until the request is submitted, that is until sc_ring_enter has counted it: the kernel has copied the one
 * and holds the file of the other (IORING_FEAT_SUBMIT_STABLE, without which no ring is created). The array of
 * sc_requests itself is free when sc_ring_prepare returns.
 *
 * Who submits matters to the kernel: a request that it has to continue in the name of the thread that submitted it (a
 * poll that fires, a buffered read, a transfer handed to a worker) completes with -ECANCELED or -EFAULT when that thread
 * has ended meanwhile. So threads that submit live until their requests complete, or whoever reaps is ready for these.
 * With SC_RING_DEFER_TASKRUN the one thread drains the ring before it ends: nobody else can wait for what is left.
 *
 * A child process inherits neither the queues (MADV_DONTFORK) nor, after exec, the descriptor.
 */
typedef struct sc_ring sc_ring;

/* Flags of sc_ring_create: what is asked for; and of sc_ring_properties: what was granted. */

/* One thread alone submits and registers. */
#define SC_RING_SINGLE_ISSUER (1u << 0)
/* Completions are finished only when the one thread waits or enters. Brings SC_RING_SINGLE_ISSUER with it. */
#define SC_RING_DEFER_TASKRUN (1u << 1)
/* Completions do not interrupt the thread that submitted; they are finished when it next enters the kernel. For rings
   whose submitting thread is also the one that waits: another waits for that thread, too. */
#define SC_RING_COOP_TASKRUN (1u << 2)
/* The ring does nothing until sc_ring_enable. */
#define SC_RING_DISABLED (1u << 3)

/* What a ring's kernel can do, in sc_ring_properties. */

/* An invalid request does not hold up those behind it in the same sc_ring_enter (kernel 5.18). */
#define SC_RING_FEATURE_SUBMIT_ALL (1u << 0)
/* SC_REQUEST_FIXED_BUFFER is allowed for vectored transfers (kernel 6.15). */
#define SC_RING_FEATURE_FIXED_VECTORS (1u << 1)

/* What a ring is. 32 bytes. */
typedef struct sc_ring_properties {
    int32_t fd;                  /* the ring's descriptor; stays the ring's */
    uint32_t flags;              /* SC_RING_* that were granted */
    uint32_t features;           /* SC_RING_FEATURE_* */
    uint32_t kernel_features;    /* IORING_FEAT_* as the kernel gave them */
    uint32_t submission_entries; /* entries of the submission queue, a power of two */
    uint32_t completion_entries; /* entries of the completion queue, a power of two */
    uint64_t mapped_bytes;       /* memory of both queues */
} sc_ring_properties;

/*
 * Creates a ring.
 *
 * entries             of the submission queue, at least 1; rounded up to a power of two, at most 32,768
 * completion_entries  of the completion queue, at least entries; 0 for twice as many; rounded and clamped likewise
 * flags               SC_RING_*; SINGLE_ISSUER, DEFER_TASKRUN and COOP_TASKRUN are wishes: a kernel that does not know
 *                     one goes without. sc_ring_info tells what was granted.
 *
 * -EINVAL: an argument. -EOPNOTSUPP: the kernel is older than 5.11. -ENOSYS, -EPERM: the kernel was built without
 * io_uring, or the process may not use it (seccomp, sysctl kernel.io_uring_disabled). -ENOMEM: also more than
 * RLIMIT_MEMLOCK allows, where the kernel counts the queues against it (without CAP_IPC_LOCK). -EMFILE, -ENFILE.
 */
SC_EXPORT int32_t sc_ring_create(uint32_t entries, uint32_t completion_entries, uint32_t flags, sc_ring **ring);

/* What was granted. Returns 0. */
SC_EXPORT int32_t sc_ring_info(const sc_ring *ring, sc_ring_properties *properties);

/*
 * Starts a ring that was created with SC_RING_DISABLED; the calling thread becomes the single issuer.
 *
 * Returns 0. -EBADFD: the ring is not disabled.
 */
SC_EXPORT int32_t sc_ring_enable(sc_ring *ring);

/*
 * Ends a ring whose requests have all been reaped, and frees it.
 *
 * Returns 0. -EBUSY: some have not been; the ring is as it was. The kernel would go on with such requests after the ring
 * is gone, and write into memory that may be somebody else's by then: cancel them, wait, reap, and call again.
 * What was prepared but not submitted is forgotten; the kernel has never seen it.
 */
SC_EXPORT int32_t sc_ring_destroy(sc_ring *ring);

/* What a request does. */
enum {
    SC_OPERATION_NOP = 0,            /* completes with 0 */
    SC_OPERATION_READ = 1,           /* address: buffer, length: bytes */
    SC_OPERATION_WRITE = 2,          /* address: buffer, length: bytes */
    SC_OPERATION_READ_VECTORED = 3,  /* address: struct iovec array, length: its entries, at most 1,024 */
    SC_OPERATION_WRITE_VECTORED = 4, /* address: struct iovec array, length: its entries, at most 1,024 */
    SC_OPERATION_FSYNC = 5,          /* data and all metadata */
    SC_OPERATION_FDATASYNC = 6,      /* data and the metadata needed to find it */
    SC_OPERATION_CANCEL = 7          /* address: user_data of one submitted request; completes with 0 if that was
                                        cancelled (it completes with -ECANCELED), -ENOENT if there is none,
                                        -EALREADY if it is too late (it completes as if nothing had been asked) */
};

/* fd is an index into the registered files. */
#define SC_REQUEST_FIXED_FILE (1u << 0)
/* The memory lies in the registered buffer number buffer_index. Transfers only. */
#define SC_REQUEST_FIXED_BUFFER (1u << 1)

/* One request. 40 bytes. What an operation has no use for is 0. */
typedef struct sc_request {
    uint8_t operation;     /* SC_OPERATION_* */
    uint8_t flags;         /* SC_REQUEST_* */
    uint16_t buffer_index; /* with SC_REQUEST_FIXED_BUFFER */
    int32_t fd;            /* descriptor, or index with SC_REQUEST_FIXED_FILE; not for NOP and CANCEL */
    uint64_t offset;       /* bytes from the start of the file; UINT64_MAX: the file's position, as for pipes */
    uint64_t address;      /* see SC_OPERATION_* */
    uint32_t length;       /* see SC_OPERATION_* */
    uint32_t transfer_flags; /* SC_TRANSFER_*; transfers only */
    uint64_t user_data;    /* comes back in the completion */
} sc_request;

/* One completion. 16 bytes. */
typedef struct sc_completion {
    uint64_t user_data; /* of the request */
    int32_t result;     /* bytes transferred (fewer than asked for at the end of the file, and whenever the kernel likes),
                           0, or a negative errno */
    uint32_t flags;     /* IORING_CQE_F_*; none is set for the operations above */
} sc_completion;

/*
 * Puts requests into the submission queue, in order, as far as there is room. The kernel sees them with the next
 * sc_ring_enter. Makes no system call.
 *
 * Returns how many were put there: fewer than count when the queue is full or the next request is not valid.
 * -EINVAL: the first request is not valid: unknown operation or flag, a field that must be 0 and is not.
 * -EOPNOTSUPP: the first request needs SC_RING_FEATURE_FIXED_VECTORS.
 * Submit side.
 */
SC_EXPORT int32_t sc_ring_prepare(sc_ring *ring, const sc_request *requests, uint32_t count);

/* Entries free in the submission queue. Submit side. */
SC_EXPORT int32_t sc_ring_space(const sc_ring *ring);

/*
 * Submits what is prepared and, if min_complete is not 0, waits until that many completions can be reaped: one system
 * call for both. None at all when there is nothing to submit, to wait for or to fetch.
 *
 * min_complete  more than the completion queue holds counts as a full queue
 * timeout_ns    longest wait in nanoseconds; 0: no wait, negative: no limit
 *
 * Returns how many requests were submitted. Fewer than were prepared means that the kernel stopped early and did not
 * wait: call again for the rest. A wait that ended without enough completions shows only when nothing was submitted, for
 * there is one result for both: -ETIME (time is up), -EINTR (a signal). So an error always means that nothing was
 * submitted by this call, and what is prepared stays prepared.
 * -EAGAIN: no memory for requests now. -EBUSY: completions have to be reaped first (older kernels).
 * -EBADR: the kernel had no memory to keep an overflown completion, which is lost; its request has completed.
 * -EEXIST: not the single issuer. -EBADFD: the ring is disabled.
 * Submit side.
 */
SC_EXPORT int32_t sc_ring_enter(sc_ring *ring, uint32_t min_complete, int64_t timeout_ns);

/*
 * Waits until min_complete completions can be reaped, and submits nothing. With min_complete 0 or timeout_ns 0 only
 * fetches what the kernel holds back (SC_COMPLETIONS_HELD).
 *
 * Returns 0. -ETIME, -EINTR, -EBADR, -EEXIST, -EBADFD: as for sc_ring_enter.
 * May run in parallel with everything but sc_ring_destroy.
 */
SC_EXPORT int32_t sc_ring_wait(sc_ring *ring, uint32_t min_complete, int64_t timeout_ns);

/* The most completions that one sc_ring_reap takes; bounds its time to well below a microsecond. */
#define SC_REAP_MAX 128

/*
 * Takes completions from the completion queue, oldest first. Makes no system call and waits for nothing.
 *
 * Returns how many were written to completions: at most capacity, at most SC_REAP_MAX.
 * When it returns 0 the kernel may still hold some (sc_ring_has_completions tells); sc_ring_wait and any wait in
 * sc_ring_enter fetch them.
 * Reap side.
 */
SC_EXPORT int32_t sc_ring_reap(sc_ring *ring, sc_completion *completions, uint32_t capacity);

/* sc_ring_reap has something to take. */
#define SC_COMPLETIONS_READY (1u << 0)
/* The kernel holds completions, because the queue was full or to finish them in a system call: sc_ring_wait(ring, 0, 0). */
#define SC_COMPLETIONS_HELD (1u << 1)

/* SC_COMPLETIONS_* bits, or'ed; out of date as soon as it is returned. Makes no system call. Any thread. */
SC_EXPORT int32_t sc_ring_has_completions(const sc_ring *ring);

/*
 * Requests that have been prepared and whose completions have not been reaped, submitted or not. Never too low; exact
 * when neither side is at work. Who keeps it at or below the entries of the completion queue never sees that queue
 * overflow. Makes no system call. Any thread.
 */
SC_EXPORT int32_t sc_ring_outstanding(const sc_ring *ring);

/*
 * Registers descriptors, so that requests name them by index and the kernel need not look them up; -1 leaves an entry
 * empty. The caller may close its own afterwards.
 *
 * Returns 0. -EBUSY: there are registered files. -EMFILE: more than RLIMIT_NOFILE. -EBADF, -EINVAL, -ENOMEM. Submit side.
 */
SC_EXPORT int32_t sc_ring_register_files(sc_ring *ring, const int32_t *fds, uint32_t count);

/*
 * Replaces count registered files from first on; -1 empties an entry. Requests under way keep the file that they had.
 *
 * Returns how many were replaced. -ENXIO: no files are registered. -EINVAL, -EBADF. Submit side.
 */
SC_EXPORT int32_t sc_ring_update_files(sc_ring *ring, uint32_t first, const int32_t *fds, uint32_t count);

/* Lets go of all registered files. Returns 0. -ENXIO: there are none. Nothing that uses one may be in flight. Submit side. */
SC_EXPORT int32_t sc_ring_unregister_files(sc_ring *ring);

/*
 * Registers memory: the kernel finds and pins its pages now instead of for every transfer. An entry with base NULL and
 * length 0 is left empty.
 *
 * Registered memory must not be decommitted, unmapped or mapped anew: the kernel keeps the pages that it pinned, and
 * transfers go there, not to what the address means by then. It needs to be readable and writable.
 *
 * Returns 0. -ENOMEM: more than RLIMIT_MEMLOCK allows (without CAP_IPC_LOCK). -EFAULT: not writable memory.
 * -EINVAL: an entry larger than 1 GiB, more than 16,384 entries. -EBUSY: there are registered buffers. -EEXIST: not the
 * single issuer. Any thread.
 */
SC_EXPORT int32_t sc_ring_register_buffers(sc_ring *ring, const struct iovec *buffers, uint32_t count);

/*
 * Replaces count registered buffers from first on; an entry with base NULL and length 0 empties one. Requests under way
 * keep the memory that they had, and it stays pinned until they complete. A request that is prepared and that the kernel
 * has not looked at is none of these: it gets -EFAULT from an entry that is empty by then.
 *
 * Returns how many were replaced. -ENXIO: no buffers are registered. Others as above; also -EINVAL before kernel 5.13.
 * Before kernel 6.13 emptying an entry may fail for want of memory (-ENOMEM), and what was replaced stays pinned until all
 * requests with registered files or memory that were submitted before it have completed. Any thread.
 */
SC_EXPORT int32_t sc_ring_update_buffers(sc_ring *ring, uint32_t first, const struct iovec *buffers, uint32_t count);

/* Unpins all registered memory. Returns 0. -ENXIO: there is none. Nothing that uses it may be in flight. Any thread. */
SC_EXPORT int32_t sc_ring_unregister_buffers(sc_ring *ring);

/* --------------------------------------------------------------------------------------------------------- event -- */

/*
 * An event, to wake a thread that waits in a ring: keep a read of 8 bytes from it in flight (offset UINT64_MAX), and
 * sc_event_signal completes it. Signals given meanwhile are counted in the 8 bytes; none is lost.
 *
 * Returns its descriptor; close it with close(2). -EMFILE, -ENFILE, -ENOMEM.
 */
SC_EXPORT int32_t sc_event_create(void);

/* Signals an event. Returns 0. -EBADF, -EINVAL: not an event. */
SC_EXPORT int32_t sc_event_signal(int32_t fd);

/* --------------------------------------------------------------------------------------------------------- files -- */

/*
 * What direct I/O on an open file has to be aligned to, in bytes. Both are 0 when the file refuses direct I/O.
 *
 * memory  alignment of buffers
 * offset  alignment of offsets and lengths
 *
 * Returns 0. -EOPNOTSUPP: kernel (before 6.1) or file system do not tell.
 */
SC_EXPORT int32_t sc_dio_alignment(int32_t fd, uint32_t *memory, uint32_t *offset);

/* What is true of an extent. The fiemap flags, renumbered. */
#define SC_EXTENT_LAST (1u << 0)              /* the last of the file */
#define SC_EXTENT_UNKNOWN (1u << 1)           /* physical is not known */
#define SC_EXTENT_DELAYED (1u << 2)           /* no place on the device yet: physical is not known */
#define SC_EXTENT_UNWRITTEN (1u << 3)         /* allocated, reads as zeros */
#define SC_EXTENT_SHARED (1u << 4)            /* other files have the same blocks */
#define SC_EXTENT_INLINE (1u << 5)            /* data among the metadata */
#define SC_EXTENT_TAIL (1u << 6)              /* several files' tails in one block */
#define SC_EXTENT_ENCODED (1u << 7)           /* compressed or encrypted: bytes at physical are not the file's */
#define SC_EXTENT_ENCRYPTED (1u << 8)         /* encrypted by the file system */
#define SC_EXTENT_NOT_ALIGNED (1u << 9)       /* not aligned to blocks */
#define SC_EXTENT_MERGED (1u << 10)           /* put together for this answer; the file system stores it block by block */
#define SC_EXTENT_OTHER (1u << 11)            /* has a flag that this version does not know */

/* A run of a file that lies in one run of its device. 32 bytes. */
typedef struct sc_extent {
    uint64_t logical;  /* bytes from the start of the file */
    uint64_t physical; /* bytes from the start of the file system's device; a name for the place more than a place:
                          file systems over several devices have an address space of their own */
    uint64_t length;   /* bytes */
    uint32_t flags;    /* SC_EXTENT_* */
    uint32_t reserved; /* 0 */
} sc_extent;

/* Write dirty data back first, so that delayed extents have their place. */
#define SC_EXTENTS_SYNC (1u << 0)

/*
 * The extents of an open file in a range, in order; holes are what lies between them. The first may begin before the
 * range and the last end after it.
 *
 * length  bytes, at least 1; UINT64_MAX: to the end of the file
 *
 * Returns how many were written. Exactly capacity means that there may be more: unless the last has SC_EXTENT_LAST, go
 * on from its end. The file may change meanwhile, and between two calls: the answer is a hint until it is confirmed.
 * -EOPNOTSUPP: the file system cannot tell. -EFBIG: start is beyond what a file there can hold. -EINVAL: an argument.
 * -EBADF, -EIO, -EINTR, -ENOMEM. What was written to extents before an error is no answer.
 */
SC_EXPORT int32_t sc_extents(
    int32_t fd, uint64_t start, uint64_t length, uint32_t flags, sc_extent *extents, uint32_t capacity);

/*
 * Makes destination a clone of source: all its bytes, in shared blocks (FICLONE). Source's dirty data is written back
 * first. Both are regular files of one file system, destination open for writing.
 *
 * Returns 0. -EOPNOTSUPP: the file system cannot. -EXDEV: two file systems. -EINVAL, -EBADF, -EISDIR, -EPERM, -ENOSPC, -EIO.
 */
SC_EXPORT int32_t sc_clone(int32_t source, int32_t destination);

/*
 * The same for a range, whose ends have to be multiples of the file system's block, except for the end of source
 * (FICLONERANGE). length 0: to the end of source.
 *
 * Returns 0. Errors as above.
 */
SC_EXPORT int32_t sc_clone_range(
    int32_t source, uint64_t source_offset, uint64_t length, int32_t destination, uint64_t destination_offset);

/* Flags of a transfer; the kernel's RWF_*. */
#define SC_TRANSFER_POLL 0x1u        /* RWF_HIPRI */
#define SC_TRANSFER_DATA_SYNC 0x2u   /* RWF_DSYNC: a write is on stable storage when it completes */
#define SC_TRANSFER_SYNC 0x4u        /* RWF_SYNC: and so is all metadata */
#define SC_TRANSFER_NO_WAIT 0x8u     /* RWF_NOWAIT: -EAGAIN rather than wait */

/*
 * Reads into count buffers from offset on (preadv, preadv2).
 *
 * Returns the bytes read: fewer than asked for at the end of the file, and whenever the kernel likes; 0 at its end.
 * -EINTR, -EAGAIN, -EINVAL (alignment, count above 1,024), -EOPNOTSUPP (flags), -EIO, ...
 */
SC_EXPORT int64_t sc_read_at(
    int32_t fd, const struct iovec *buffers, uint32_t count, uint64_t offset, uint32_t transfer_flags);

/* Writes count buffers from offset on (pwritev, pwritev2). Returns the bytes written. Errors as above, and -ENOSPC, -EFBIG, ... */
SC_EXPORT int64_t sc_write_at(
    int32_t fd, const struct iovec *buffers, uint32_t count, uint64_t offset, uint32_t transfer_flags);

/* Data and metadata on stable storage when it returns 0. A failed one must not be repeated: see fsync(2). */
SC_EXPORT int32_t sc_fsync(int32_t fd);

/* Data and what is needed to find it on stable storage when it returns 0. A failed one must not be repeated. */
SC_EXPORT int32_t sc_fdatasync(int32_t fd);

/* -------------------------------------------------------------------------------------------------------- memory -- */

/*
 * Addresses and sizes are multiples of the kernel's page (-EINVAL otherwise), and lie in one range that was reserved or
 * mapped here. Calls on overlapping ranges are the caller's to serialise. A child process does not inherit a range.
 */

/*
 * Reserves address space, with no memory behind it: touching it faults.
 *
 * alignment  of the address, a power of two; 0 for the kernel's page
 *
 * Returns 0. -ENOMEM: RLIMIT_AS, or no such range is free.
 */
SC_EXPORT int32_t sc_memory_reserve(uint64_t bytes, uint64_t alignment, void **address);

/* Makes a reserved range readable and writable; zeros at first. Memory comes with the first touch. Returns 0. -ENOMEM. */
SC_EXPORT int32_t sc_memory_commit(void *address, uint64_t bytes);

/*
 * Gives the memory of a committed range back. The range stays readable and writable, and reads as zeros: whoever still
 * looks there sees nothing, and never faults.
 *
 * Returns 0. -EINVAL: also for memory that is locked (mlock). Not for memory registered with a ring.
 */
SC_EXPORT int32_t sc_memory_decommit(void *address, uint64_t bytes);

/* Gives address space back, and its memory. Returns 0. */
SC_EXPORT int32_t sc_memory_release(void *address, uint64_t bytes);

/* Asks for huge pages in a range (enabled not 0) or for none. Returns 0. -EOPNOTSUPP: a kernel without them. */
SC_EXPORT int32_t sc_memory_advise_huge(void *address, uint64_t bytes, uint32_t enabled);

/*
 * Creates memory that can be mapped several times (memfd), zeros at first. Its size cannot change, so no view of it can
 * fault for being too long.
 *
 * Returns its descriptor; close it with close(2). Memory and views live until the last of both is gone.
 * -EINVAL, -ENOMEM, -EMFILE, -ENFILE, -ENOSYS.
 */
SC_EXPORT int32_t sc_shared_create(uint64_t bytes);

/* The view may be written through. */
#define SC_VIEW_WRITABLE (1u << 0)

/*
 * Maps a view of shared memory, from offset on. A store through a view without SC_VIEW_WRITABLE kills the process
 * (SIGSEGV). Release it with sc_memory_release.
 *
 * alignment  as for sc_memory_reserve
 *
 * Returns 0. -EINVAL: also for a range that is not inside. -ENOMEM, -EBADF.
 */
SC_EXPORT int32_t sc_shared_map(
    int32_t fd, uint64_t offset, uint64_t bytes, uint64_t alignment, uint32_t flags, void **address);

/* Gives the memory of a range of shared memory back; all views read zeros there, and none faults. Returns 0. */
SC_EXPORT int32_t sc_shared_decommit(int32_t fd, uint64_t offset, uint64_t bytes);

#ifdef __cplusplus
}
#endif

#endif
