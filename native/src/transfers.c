/* Transfers without a ring. */
#include "internal.h"

_Static_assert(sizeof(long) == 8, "an offset goes in one register");

static int64_t transfer(
    long plain, long flagged, int32_t fd, const struct iovec *buffers, uint32_t count, uint64_t offset, uint32_t flags)
{
    /* Without flags the older call does the same, and is there under every emulation of the kernel. */
    long number = flags == 0 ? plain : flagged;

    /* The kernel takes the offset in two halves for the sake of 32-bit machines; here all of it is in the first. */
    return sc_result(syscall(number, fd, buffers, (unsigned long)count, (unsigned long)offset, 0ul, flags));
}

int64_t sc_read_at(int32_t fd, const struct iovec *buffers, uint32_t count, uint64_t offset, uint32_t transfer_flags)
{
    return transfer(SYS_preadv, SYS_preadv2, fd, buffers, count, offset, transfer_flags);
}

int64_t sc_write_at(int32_t fd, const struct iovec *buffers, uint32_t count, uint64_t offset, uint32_t transfer_flags)
{
    return transfer(SYS_pwritev, SYS_pwritev2, fd, buffers, count, offset, transfer_flags);
}

int32_t sc_fsync(int32_t fd)
{
    return (int32_t)sc_result(fsync(fd));
}

int32_t sc_fdatasync(int32_t fd)
{
    return (int32_t)sc_result(fdatasync(fd));
}
