/*
 * The kernel's interfaces as this library uses them: numbers and layouts that the kernel promises never to change.
 *
 * Declared here rather than taken from <linux/...>, so that what the library can do depends on the kernel that it runs
 * on and not on the headers of the machine that built it. tests/abi_test.c compares both.
 */
#ifndef SC_KERNEL_ABI_H
#define SC_KERNEL_ABI_H

#include <stddef.h>
#include <stdint.h>

#if !defined(__linux__) || !(defined(__x86_64__) || defined(__aarch64__))
#error "StorageCache's native library is for Linux on x86-64 and arm64"
#endif

/* ------------------------------------------------------------------------------------------------ system calls -- */

/* The same on both architectures, as for every call added since 2019. */
#define SCK_NR_IO_URING_SETUP 425
#define SCK_NR_IO_URING_ENTER 426
#define SCK_NR_IO_URING_REGISTER 427

/* ---------------------------------------------------------------------------------------------------- io_uring -- */

typedef struct sck_sqe {
    uint8_t opcode;
    uint8_t flags;
    uint16_t ioprio;
    int32_t fd;
    uint64_t off;
    uint64_t addr;
    uint32_t len;
    uint32_t op_flags; /* rw_flags, fsync_flags, cancel_flags */
    uint64_t user_data;
    uint16_t buf_index;
    uint16_t personality;
    uint32_t file_index;
    uint64_t addr3;
    uint64_t pad;
} sck_sqe;

_Static_assert(sizeof(sck_sqe) == 64, "struct io_uring_sqe");

enum {
    SCK_OP_NOP = 0,
    SCK_OP_READV = 1,
    SCK_OP_WRITEV = 2,
    SCK_OP_FSYNC = 3,
    SCK_OP_READ_FIXED = 4,
    SCK_OP_WRITE_FIXED = 5,
    SCK_OP_ASYNC_CANCEL = 14,
    SCK_OP_READ = 22,
    SCK_OP_WRITE = 23,
    SCK_OP_READV_FIXED = 60,
    SCK_OP_WRITEV_FIXED = 61
};

#define SCK_SQE_FIXED_FILE (1u << 0)
#define SCK_FSYNC_DATASYNC (1u << 0)

#define SCK_SETUP_CQSIZE (1u << 3)
#define SCK_SETUP_CLAMP (1u << 4)
#define SCK_SETUP_R_DISABLED (1u << 6)
#define SCK_SETUP_SUBMIT_ALL (1u << 7)
#define SCK_SETUP_COOP_TASKRUN (1u << 8)
#define SCK_SETUP_TASKRUN_FLAG (1u << 9)
#define SCK_SETUP_SINGLE_ISSUER (1u << 12)
#define SCK_SETUP_DEFER_TASKRUN (1u << 13)

#define SCK_FEAT_SINGLE_MMAP (1u << 0)
#define SCK_FEAT_NODROP (1u << 1)
#define SCK_FEAT_SUBMIT_STABLE (1u << 2)
#define SCK_FEAT_EXT_ARG (1u << 8)

#define SCK_ENTER_GETEVENTS (1u << 0)
#define SCK_ENTER_EXT_ARG (1u << 3)

#define SCK_SQ_CQ_OVERFLOW (1u << 1)
#define SCK_SQ_TASKRUN (1u << 2)

#define SCK_OFF_SQ_RING 0ll
#define SCK_OFF_SQES 0x10000000ll

#define SCK_REGISTER_BUFFERS 0
#define SCK_UNREGISTER_BUFFERS 1
#define SCK_REGISTER_FILES 2
#define SCK_UNREGISTER_FILES 3
#define SCK_REGISTER_FILES_UPDATE 6
#define SCK_REGISTER_PROBE 8
#define SCK_REGISTER_ENABLE_RINGS 12
#define SCK_REGISTER_BUFFERS_UPDATE 16

typedef struct sck_sq_offsets {
    uint32_t head;
    uint32_t tail;
    uint32_t ring_mask;
    uint32_t ring_entries;
    uint32_t flags;
    uint32_t dropped;
    uint32_t array;
    uint32_t resv1;
    uint64_t resv2;
} sck_sq_offsets;

typedef struct sck_cq_offsets {
    uint32_t head;
    uint32_t tail;
    uint32_t ring_mask;
    uint32_t ring_entries;
    uint32_t overflow;
    uint32_t cqes;
    uint32_t flags;
    uint32_t resv1;
    uint64_t resv2;
} sck_cq_offsets;

typedef struct sck_params {
    uint32_t sq_entries;
    uint32_t cq_entries;
    uint32_t flags;
    uint32_t sq_thread_cpu;
    uint32_t sq_thread_idle;
    uint32_t features;
    uint32_t wq_fd;
    uint32_t resv[3];
    sck_sq_offsets sq_off;
    sck_cq_offsets cq_off;
} sck_params;

_Static_assert(sizeof(sck_params) == 120, "struct io_uring_params");

typedef struct sck_timespec {
    int64_t tv_sec;
    int64_t tv_nsec;
} sck_timespec;

typedef struct sck_getevents_arg {
    uint64_t sigmask;
    uint32_t sigmask_sz;
    uint32_t pad;
    uint64_t ts;
} sck_getevents_arg;

typedef struct sck_files_update {
    uint32_t offset;
    uint32_t resv;
    uint64_t fds;
} sck_files_update;

typedef struct sck_rsrc_update2 {
    uint32_t offset;
    uint32_t resv;
    uint64_t data;
    uint64_t tags;
    uint32_t nr;
    uint32_t resv2;
} sck_rsrc_update2;

#define SCK_OP_SUPPORTED (1u << 0)

typedef struct sck_probe_op {
    uint8_t op;
    uint8_t resv;
    uint16_t flags;
    uint32_t resv2;
} sck_probe_op;

#define SCK_PROBE_OPS 128

typedef struct sck_probe {
    uint8_t last_op;
    uint8_t ops_len;
    uint16_t resv;
    uint32_t resv2[3];
    sck_probe_op ops[SCK_PROBE_OPS];
} sck_probe;

/* ------------------------------------------------------------------------------------------------------- statx -- */

#define SCK_AT_EMPTY_PATH 0x1000
#define SCK_STATX_DIOALIGN 0x2000u

/* The fields that are read. */
typedef struct sck_statx {
    uint32_t stx_mask;
    uint8_t before_dio[148];
    uint32_t stx_dio_mem_align;
    uint32_t stx_dio_offset_align;
    uint8_t after_dio[96];
} sck_statx;

_Static_assert(sizeof(sck_statx) == 256, "struct statx");
_Static_assert(offsetof(sck_statx, stx_dio_mem_align) == 152, "struct statx");

/* ---------------------------------------------------------------------------------------- ioctls of file systems -- */

/* _IOWR('f', 11, struct fiemap), _IOW(0x94, 9, int), _IOW(0x94, 13, struct file_clone_range) */
#define SCK_IOC_FIEMAP 0xc020660bul
#define SCK_IOC_CLONE 0x40049409ul
#define SCK_IOC_CLONE_RANGE 0x4020940dul

#define SCK_FIEMAP_FLAG_SYNC 0x1u

#define SCK_EXTENT_LAST 0x1u
#define SCK_EXTENT_UNKNOWN 0x2u
#define SCK_EXTENT_DELALLOC 0x4u
#define SCK_EXTENT_ENCODED 0x8u
#define SCK_EXTENT_DATA_ENCRYPTED 0x80u
#define SCK_EXTENT_NOT_ALIGNED 0x100u
#define SCK_EXTENT_DATA_INLINE 0x200u
#define SCK_EXTENT_DATA_TAIL 0x400u
#define SCK_EXTENT_UNWRITTEN 0x800u
#define SCK_EXTENT_MERGED 0x1000u
#define SCK_EXTENT_SHARED 0x2000u

typedef struct sck_fiemap_extent {
    uint64_t fe_logical;
    uint64_t fe_physical;
    uint64_t fe_length;
    uint64_t fe_reserved64[2];
    uint32_t fe_flags;
    uint32_t fe_reserved[3];
} sck_fiemap_extent;

_Static_assert(sizeof(sck_fiemap_extent) == 56, "struct fiemap_extent");

typedef struct sck_fiemap {
    uint64_t fm_start;
    uint64_t fm_length;
    uint32_t fm_flags;
    uint32_t fm_mapped_extents;
    uint32_t fm_extent_count;
    uint32_t fm_reserved;
} sck_fiemap;

_Static_assert(sizeof(sck_fiemap) == 32, "struct fiemap");

typedef struct sck_clone_range {
    int64_t src_fd;
    uint64_t src_offset;
    uint64_t src_length;
    uint64_t dest_offset;
} sck_clone_range;

_Static_assert(sizeof(sck_clone_range) == 32, "struct file_clone_range");

/* ------------------------------------------------------------------------------------------------------ memory -- */

#define SCK_MFD_CLOEXEC 0x1u
#define SCK_MFD_ALLOW_SEALING 0x2u
#define SCK_MFD_NOEXEC_SEAL 0x8u

#define SCK_F_ADD_SEALS 1033
#define SCK_SEAL_SEAL 0x1
#define SCK_SEAL_SHRINK 0x2
#define SCK_SEAL_GROW 0x4

#endif
