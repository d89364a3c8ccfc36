/* kernel_abi.h against the headers of the machine that builds, as far as those go. */
#include "testing.h"

#include "kernel_abi.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/memfd.h>
#include <linux/stat.h>
#include <linux/time_types.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define SAME_SIZE(ours, theirs) CHECK_EQUAL(sizeof(struct theirs), sizeof(ours))
#define SAME_FIELD(ours, our_field, theirs, their_field)                                                               \
    CHECK_EQUAL(offsetof(struct theirs, their_field), offsetof(ours, our_field))

TEST(structures_of_io_uring)
{
    SAME_SIZE(sck_sqe, io_uring_sqe);
    SAME_FIELD(sck_sqe, opcode, io_uring_sqe, opcode);
    SAME_FIELD(sck_sqe, flags, io_uring_sqe, flags);
    SAME_FIELD(sck_sqe, fd, io_uring_sqe, fd);
    SAME_FIELD(sck_sqe, off, io_uring_sqe, off);
    SAME_FIELD(sck_sqe, addr, io_uring_sqe, addr);
    SAME_FIELD(sck_sqe, len, io_uring_sqe, len);
    SAME_FIELD(sck_sqe, op_flags, io_uring_sqe, rw_flags);
    SAME_FIELD(sck_sqe, user_data, io_uring_sqe, user_data);
    SAME_FIELD(sck_sqe, buf_index, io_uring_sqe, buf_index);

    SAME_SIZE(sc_completion, io_uring_cqe);
    SAME_FIELD(sc_completion, user_data, io_uring_cqe, user_data);
    SAME_FIELD(sc_completion, result, io_uring_cqe, res);
    SAME_FIELD(sc_completion, flags, io_uring_cqe, flags);

    SAME_SIZE(sck_params, io_uring_params);
    SAME_FIELD(sck_params, features, io_uring_params, features);
    SAME_FIELD(sck_params, sq_off, io_uring_params, sq_off);
    SAME_FIELD(sck_params, cq_off, io_uring_params, cq_off);
    SAME_FIELD(sck_sq_offsets, flags, io_sqring_offsets, flags);
    SAME_FIELD(sck_sq_offsets, array, io_sqring_offsets, array);
    SAME_FIELD(sck_cq_offsets, overflow, io_cqring_offsets, overflow);
    SAME_FIELD(sck_cq_offsets, cqes, io_cqring_offsets, cqes);

    SAME_SIZE(sck_timespec, __kernel_timespec);
    SAME_SIZE(sck_getevents_arg, io_uring_getevents_arg);
    SAME_FIELD(sck_getevents_arg, ts, io_uring_getevents_arg, ts);
    SAME_SIZE(sck_files_update, io_uring_files_update);
    SAME_FIELD(sck_files_update, fds, io_uring_files_update, fds);
    SAME_SIZE(sck_rsrc_update2, io_uring_rsrc_update2);
    SAME_FIELD(sck_rsrc_update2, data, io_uring_rsrc_update2, data);
    SAME_FIELD(sck_rsrc_update2, nr, io_uring_rsrc_update2, nr);
    SAME_SIZE(sck_probe_op, io_uring_probe_op);
    CHECK_EQUAL(offsetof(struct io_uring_probe, ops), offsetof(sck_probe, ops));
}

TEST(numbers_of_io_uring)
{
    CHECK_EQUAL(SYS_io_uring_setup, SCK_NR_IO_URING_SETUP);
    CHECK_EQUAL(SYS_io_uring_enter, SCK_NR_IO_URING_ENTER);
    CHECK_EQUAL(SYS_io_uring_register, SCK_NR_IO_URING_REGISTER);

    CHECK_EQUAL(IORING_OP_NOP, SCK_OP_NOP);
    CHECK_EQUAL(IORING_OP_READV, SCK_OP_READV);
    CHECK_EQUAL(IORING_OP_WRITEV, SCK_OP_WRITEV);
    CHECK_EQUAL(IORING_OP_FSYNC, SCK_OP_FSYNC);
    CHECK_EQUAL(IORING_OP_READ_FIXED, SCK_OP_READ_FIXED);
    CHECK_EQUAL(IORING_OP_WRITE_FIXED, SCK_OP_WRITE_FIXED);
    CHECK_EQUAL(IORING_OP_ASYNC_CANCEL, SCK_OP_ASYNC_CANCEL);
    CHECK_EQUAL(IORING_OP_READ, SCK_OP_READ);
    CHECK_EQUAL(IORING_OP_WRITE, SCK_OP_WRITE);
    CHECK_EQUAL(IOSQE_FIXED_FILE, SCK_SQE_FIXED_FILE);
    CHECK_EQUAL(IORING_FSYNC_DATASYNC, SCK_FSYNC_DATASYNC);

    CHECK_EQUAL(IORING_SETUP_CQSIZE, SCK_SETUP_CQSIZE);
    CHECK_EQUAL(IORING_SETUP_CLAMP, SCK_SETUP_CLAMP);
    CHECK_EQUAL(IORING_SETUP_R_DISABLED, SCK_SETUP_R_DISABLED);
#ifdef IORING_SETUP_SUBMIT_ALL
    CHECK_EQUAL(IORING_SETUP_SUBMIT_ALL, SCK_SETUP_SUBMIT_ALL);
#endif
#ifdef IORING_SETUP_COOP_TASKRUN
    CHECK_EQUAL(IORING_SETUP_COOP_TASKRUN, SCK_SETUP_COOP_TASKRUN);
    CHECK_EQUAL(IORING_SETUP_TASKRUN_FLAG, SCK_SETUP_TASKRUN_FLAG);
    CHECK_EQUAL(IORING_SQ_TASKRUN, SCK_SQ_TASKRUN);
#endif
#ifdef IORING_SETUP_SINGLE_ISSUER
    CHECK_EQUAL(IORING_SETUP_SINGLE_ISSUER, SCK_SETUP_SINGLE_ISSUER);
#endif
#ifdef IORING_SETUP_DEFER_TASKRUN
    CHECK_EQUAL(IORING_SETUP_DEFER_TASKRUN, SCK_SETUP_DEFER_TASKRUN);
#endif

    CHECK_EQUAL(IORING_FEAT_SINGLE_MMAP, SCK_FEAT_SINGLE_MMAP);
    CHECK_EQUAL(IORING_FEAT_NODROP, SCK_FEAT_NODROP);
    CHECK_EQUAL(IORING_FEAT_SUBMIT_STABLE, SCK_FEAT_SUBMIT_STABLE);
    CHECK_EQUAL(IORING_FEAT_EXT_ARG, SCK_FEAT_EXT_ARG);
    CHECK_EQUAL(IORING_ENTER_GETEVENTS, SCK_ENTER_GETEVENTS);
    CHECK_EQUAL(IORING_ENTER_EXT_ARG, SCK_ENTER_EXT_ARG);
    CHECK_EQUAL(IORING_SQ_CQ_OVERFLOW, SCK_SQ_CQ_OVERFLOW);
    CHECK_EQUAL(IORING_OFF_SQ_RING, SCK_OFF_SQ_RING);
    CHECK_EQUAL(IORING_OFF_SQES, SCK_OFF_SQES);

    CHECK_EQUAL(IORING_REGISTER_BUFFERS, SCK_REGISTER_BUFFERS);
    CHECK_EQUAL(IORING_UNREGISTER_BUFFERS, SCK_UNREGISTER_BUFFERS);
    CHECK_EQUAL(IORING_REGISTER_FILES, SCK_REGISTER_FILES);
    CHECK_EQUAL(IORING_UNREGISTER_FILES, SCK_UNREGISTER_FILES);
    CHECK_EQUAL(IORING_REGISTER_FILES_UPDATE, SCK_REGISTER_FILES_UPDATE);
    CHECK_EQUAL(IORING_REGISTER_PROBE, SCK_REGISTER_PROBE);
    CHECK_EQUAL(IORING_REGISTER_ENABLE_RINGS, SCK_REGISTER_ENABLE_RINGS);
    CHECK_EQUAL(IORING_REGISTER_BUFFERS_UPDATE, SCK_REGISTER_BUFFERS_UPDATE);
    CHECK_EQUAL(IO_URING_OP_SUPPORTED, SCK_OP_SUPPORTED);
}

TEST(files)
{
#ifdef STATX_DIOALIGN
    CHECK_EQUAL(STATX_DIOALIGN, SCK_STATX_DIOALIGN);
    SAME_SIZE(sck_statx, statx);
    SAME_FIELD(sck_statx, stx_dio_mem_align, statx, stx_dio_mem_align);
    SAME_FIELD(sck_statx, stx_dio_offset_align, statx, stx_dio_offset_align);
#endif
    CHECK_EQUAL(FS_IOC_FIEMAP, SCK_IOC_FIEMAP);
    CHECK_EQUAL(FICLONE, SCK_IOC_CLONE);
    CHECK_EQUAL(FICLONERANGE, SCK_IOC_CLONE_RANGE);
    SAME_SIZE(sck_fiemap, fiemap);
    SAME_FIELD(sck_fiemap, fm_mapped_extents, fiemap, fm_mapped_extents);
    SAME_FIELD(sck_fiemap, fm_extent_count, fiemap, fm_extent_count);
    SAME_SIZE(sck_fiemap_extent, fiemap_extent);
    SAME_FIELD(sck_fiemap_extent, fe_length, fiemap_extent, fe_length);
    SAME_FIELD(sck_fiemap_extent, fe_flags, fiemap_extent, fe_flags);
    SAME_SIZE(sck_clone_range, file_clone_range);
    SAME_FIELD(sck_clone_range, src_length, file_clone_range, src_length);
    SAME_FIELD(sck_clone_range, dest_offset, file_clone_range, dest_offset);

    CHECK_EQUAL(FIEMAP_FLAG_SYNC, SCK_FIEMAP_FLAG_SYNC);
    CHECK_EQUAL(FIEMAP_EXTENT_LAST, SCK_EXTENT_LAST);
    CHECK_EQUAL(FIEMAP_EXTENT_UNKNOWN, SCK_EXTENT_UNKNOWN);
    CHECK_EQUAL(FIEMAP_EXTENT_DELALLOC, SCK_EXTENT_DELALLOC);
    CHECK_EQUAL(FIEMAP_EXTENT_ENCODED, SCK_EXTENT_ENCODED);
    CHECK_EQUAL(FIEMAP_EXTENT_DATA_ENCRYPTED, SCK_EXTENT_DATA_ENCRYPTED);
    CHECK_EQUAL(FIEMAP_EXTENT_NOT_ALIGNED, SCK_EXTENT_NOT_ALIGNED);
    CHECK_EQUAL(FIEMAP_EXTENT_DATA_INLINE, SCK_EXTENT_DATA_INLINE);
    CHECK_EQUAL(FIEMAP_EXTENT_DATA_TAIL, SCK_EXTENT_DATA_TAIL);
    CHECK_EQUAL(FIEMAP_EXTENT_UNWRITTEN, SCK_EXTENT_UNWRITTEN);
    CHECK_EQUAL(FIEMAP_EXTENT_MERGED, SCK_EXTENT_MERGED);
    CHECK_EQUAL(FIEMAP_EXTENT_SHARED, SCK_EXTENT_SHARED);

    CHECK_EQUAL(RWF_HIPRI, SC_TRANSFER_POLL);
    CHECK_EQUAL(RWF_DSYNC, SC_TRANSFER_DATA_SYNC);
    CHECK_EQUAL(RWF_SYNC, SC_TRANSFER_SYNC);
    CHECK_EQUAL(RWF_NOWAIT, SC_TRANSFER_NO_WAIT);
}

TEST(memory)
{
    CHECK_EQUAL(MFD_CLOEXEC, SCK_MFD_CLOEXEC);
    CHECK_EQUAL(MFD_ALLOW_SEALING, SCK_MFD_ALLOW_SEALING);
#ifdef MFD_NOEXEC_SEAL
    CHECK_EQUAL(MFD_NOEXEC_SEAL, SCK_MFD_NOEXEC_SEAL);
#endif
}

TEST(layouts_are_reported)
{
    uint32_t values[16] = {0};
    CHECK_EQUAL(11, sc_struct_layout(SC_STRUCT_REQUEST, values, 16));
    CHECK_EQUAL(sizeof(sc_request), values[0]);
    CHECK_EQUAL(8, values[1]);
    CHECK_EQUAL(0, values[2]);
    CHECK_EQUAL(offsetof(sc_request, user_data), values[10]);

    /* A short array is filled as far as it goes, and the answer says how long it should have been. */
    uint32_t two[3] = {0, 0, 77};
    CHECK_EQUAL(5, sc_struct_layout(SC_STRUCT_COMPLETION, two, 2));
    CHECK_EQUAL(16, two[0]);
    CHECK_EQUAL(77, two[2]);
    CHECK_EQUAL(9, sc_struct_layout(SC_STRUCT_RING_PROPERTIES, NULL, 0));
    CHECK_EQUAL(7, sc_struct_layout(SC_STRUCT_EXTENT, NULL, 0));
    CHECK_EQUAL(4, sc_struct_layout(SC_STRUCT_IOVEC, NULL, 0));
    CHECK_EQUAL(-EINVAL, sc_struct_layout(SC_STRUCT_IOVEC + 1, values, 16));
    CHECK_EQUAL(SC_ABI_VERSION, sc_abi_version());
}
