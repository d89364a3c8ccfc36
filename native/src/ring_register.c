/* Registered files and memory of a ring. */
#include "ring_internal.h"

int32_t sc_ring_register_files(sc_ring *ring, const int32_t *fds, uint32_t count)
{
    return sc_ring_register(ring, SCK_REGISTER_FILES, fds, count);
}

int32_t sc_ring_update_files(sc_ring *ring, uint32_t first, const int32_t *fds, uint32_t count)
{
    /* -2 would tell the kernel to leave an entry alone. */
    for (uint32_t i = 0; i < count; i++) {
        if (fds[i] < -1) {
            return -EBADF;
        }
    }

    sck_files_update update = {.offset = first, .fds = sc_address(fds)};
    return sc_ring_register(ring, SCK_REGISTER_FILES_UPDATE, &update, count);
}

int32_t sc_ring_unregister_files(sc_ring *ring)
{
    return sc_ring_register(ring, SCK_UNREGISTER_FILES, NULL, 0);
}

int32_t sc_ring_register_buffers(sc_ring *ring, const struct iovec *buffers, uint32_t count)
{
    return sc_ring_register(ring, SCK_REGISTER_BUFFERS, buffers, count);
}

int32_t sc_ring_update_buffers(sc_ring *ring, uint32_t first, const struct iovec *buffers, uint32_t count)
{
    sck_rsrc_update2 update = {.offset = first, .data = sc_address(buffers), .nr = count};
    return sc_ring_register(ring, SCK_REGISTER_BUFFERS_UPDATE, &update, sizeof(update));
}

int32_t sc_ring_unregister_buffers(sc_ring *ring)
{
    return sc_ring_register(ring, SCK_UNREGISTER_BUFFERS, NULL, 0);
}
