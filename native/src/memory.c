/* Private memory: address space that is given memory, and stripped of it, on request. */
#include "memory_internal.h"

#include <sys/mman.h>

static uint64_t page_size(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

bool sc_is_page_multiple(uint64_t value)
{
    return value != 0 && value % page_size() == 0;
}

static bool is_page_range(const void *address, uint64_t bytes)
{
    return sc_address(address) % page_size() == 0 && sc_is_page_multiple(bytes);
}

int32_t sc_reserve(uint64_t bytes, uint64_t alignment, void **address)
{
    if (alignment < page_size()) {
        alignment = page_size();
    }
    if (!sc_is_page_multiple(bytes) || (alignment & (alignment - 1)) != 0 || bytes > INT64_MAX - alignment) {
        return -EINVAL;
    }

    /* The kernel aligns to its page only: reserve enough that an aligned range lies inside, and trim both ends. */
    uint64_t reserved = bytes + alignment - page_size();
    uint8_t *start = mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) {
        return -errno;
    }

    uint64_t head = -sc_address(start) & (alignment - 1);
    uint8_t *aligned = start + head;
    if (head != 0) {
        (void)munmap(start, head);
    }
    if (head != reserved - bytes) {
        (void)munmap(aligned + bytes, reserved - bytes - head);
    }

    /*
     * Direct I/O into private memory must not run across a fork: copy-on-write could hand the page that the device
     * writes to the child (open(2), NOTES). A range that children do not inherit is exempt.
     */
    if (madvise(aligned, bytes, MADV_DONTFORK) != 0) {
        int error = -errno;
        (void)munmap(aligned, bytes);
        return error;
    }
    *address = aligned;
    return 0;
}

int32_t sc_memory_reserve(uint64_t bytes, uint64_t alignment, void **address)
{
    return sc_reserve(bytes, alignment, address);
}

int32_t sc_memory_commit(void *address, uint64_t bytes)
{
    if (!is_page_range(address, bytes)) {
        return -EINVAL;
    }
    return (int32_t)sc_result(mprotect(address, bytes, PROT_READ | PROT_WRITE));
}

int32_t sc_memory_decommit(void *address, uint64_t bytes)
{
    if (!is_page_range(address, bytes)) {
        return -EINVAL;
    }
    return (int32_t)sc_result(madvise(address, bytes, MADV_DONTNEED));
}

int32_t sc_memory_release(void *address, uint64_t bytes)
{
    if (!is_page_range(address, bytes)) {
        return -EINVAL;
    }
    return (int32_t)sc_result(munmap(address, bytes));
}

int32_t sc_memory_advise_huge(void *address, uint64_t bytes, uint32_t enabled)
{
    if (!is_page_range(address, bytes)) {
        return -EINVAL;
    }

    /* The range is in order, so what the kernel finds invalid is the advice. */
    int64_t result = sc_result(madvise(address, bytes, enabled != 0 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
    return result == -EINVAL ? -EOPNOTSUPP : (int32_t)result;
}
