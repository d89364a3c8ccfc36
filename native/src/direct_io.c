#include "internal.h"

int32_t sc_dio_alignment(int32_t fd, uint32_t *memory, uint32_t *offset)
{
    sck_statx status = {0};
    int64_t result = sc_result(syscall(SYS_statx, fd, "", SCK_AT_EMPTY_PATH, SCK_STATX_DIOALIGN, &status));
    if (result < 0) {
        return (int32_t)result;
    }
    if ((status.stx_mask & SCK_STATX_DIOALIGN) == 0) {
        return -EOPNOTSUPP;
    }

    *memory = status.stx_dio_mem_align;
    *offset = status.stx_dio_offset_align;
    return 0;
}
