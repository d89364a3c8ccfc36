#include "internal.h"

#include <sys/eventfd.h>

int32_t sc_event_create(void)
{
    /* Not EFD_NONBLOCK: a ring completes a read from such a descriptor with -EAGAIN instead of keeping it. */
    return (int32_t)sc_result(eventfd(0, EFD_CLOEXEC));
}

int32_t sc_event_signal(int32_t fd)
{
    uint64_t one = 1;
    int64_t written = sc_result(write(fd, &one, sizeof(one)));
    return written < 0 ? (int32_t)written : 0;
}
