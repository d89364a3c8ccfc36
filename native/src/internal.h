/* What all of the library's files share. Included first: it decides which of the C library's interfaces are seen. */
#ifndef SC_INTERNAL_H
#define SC_INTERNAL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "storagecache_native.h"

#include "kernel_abi.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The result of a call of the C library as this library gives it. */
static inline int64_t sc_result(int64_t value)
{
    return value < 0 ? -errno : value;
}

/* An address as the kernel takes it in a structure. */
static inline uint64_t sc_address(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

#endif
