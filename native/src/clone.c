#include "internal.h"

#include <sys/ioctl.h>

static int32_t clone_result(int64_t result)
{
    /* A file system that has no ioctls at all means the same as one that has not this one. */
    return result == -ENOTTY ? -EOPNOTSUPP : (int32_t)result;
}

int32_t sc_clone(int32_t source, int32_t destination)
{
    return clone_result(sc_result(ioctl(destination, SCK_IOC_CLONE, source)));
}

int32_t sc_clone_range(
    int32_t source, uint64_t source_offset, uint64_t length, int32_t destination, uint64_t destination_offset)
{
    sck_clone_range range = {
        .src_fd = source,
        .src_offset = source_offset,
        .src_length = length,
        .dest_offset = destination_offset,
    };
    return clone_result(sc_result(ioctl(destination, SCK_IOC_CLONE_RANGE, &range)));
}
