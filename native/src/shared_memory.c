/* Memory with several views. */
#include "memory_internal.h"

#include <fcntl.h>
#include <sys/mman.h>

int32_t sc_shared_create(uint64_t bytes)
{
    if (!sc_is_page_multiple(bytes) || bytes > INT64_MAX) {
        return -EINVAL;
    }

    /* Kernels from 6.3 on want to be told whether it is for code, and older ones do not know the flag. */
    uint32_t flags = SCK_MFD_CLOEXEC | SCK_MFD_ALLOW_SEALING;
    int64_t fd = sc_result(syscall(SYS_memfd_create, "storagecache", flags | SCK_MFD_NOEXEC_SEAL));
    if (fd == -EINVAL) {
        fd = sc_result(syscall(SYS_memfd_create, "storagecache", flags));
    }
    if (fd < 0) {
        return (int32_t)fd;
    }

    /* Sealed, no view can come to reach beyond the end, where a touch would be a fault. */
    int64_t result = sc_result(ftruncate((int)fd, (off_t)bytes));
    if (result == 0) {
        result = sc_result(fcntl((int)fd, SCK_F_ADD_SEALS, SCK_SEAL_SHRINK | SCK_SEAL_GROW | SCK_SEAL_SEAL));
    }
    if (result < 0) {
        (void)close((int)fd);
        return (int32_t)result;
    }
    return (int32_t)fd;
}

int32_t sc_shared_map(
    int32_t fd, uint64_t offset, uint64_t bytes, uint64_t alignment, uint32_t flags, void **address)
{
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0) {
        return -errno;
    }
    if ((flags & ~SC_VIEW_WRITABLE) != 0 || (offset != 0 && !sc_is_page_multiple(offset)) || offset > (uint64_t)size
        || bytes > (uint64_t)size - offset) {
        return -EINVAL;
    }

    void *start;
    int32_t error = sc_reserve(bytes, alignment, &start);
    if (error < 0) {
        return error;
    }

    int protection = flags & SC_VIEW_WRITABLE ? PROT_READ | PROT_WRITE : PROT_READ;
    if (mmap(start, bytes, protection, MAP_SHARED | MAP_FIXED, fd, (off_t)offset) == MAP_FAILED
        || madvise(start, bytes, MADV_DONTFORK) != 0) {
        error = -errno;
        (void)munmap(start, bytes);
        return error;
    }
    *address = start;
    return 0;
}

int32_t sc_shared_decommit(int32_t fd, uint64_t offset, uint64_t bytes)
{
    if ((offset != 0 && !sc_is_page_multiple(offset)) || !sc_is_page_multiple(bytes)) {
        return -EINVAL;
    }
    return (int32_t)sc_result(
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes));
}
