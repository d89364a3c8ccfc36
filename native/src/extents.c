#include "internal.h"

#include <string.h>
#include <sys/ioctl.h>

/* Extents fetched by one ioctl, on the stack: 2 KiB. */
#define BATCH 36

static uint32_t translate_flags(uint32_t kernel_flags)
{
    static const struct {
        uint32_t from;
        uint32_t to;
    } flags[] = {
        {SCK_EXTENT_LAST, SC_EXTENT_LAST},
        {SCK_EXTENT_UNKNOWN, SC_EXTENT_UNKNOWN},
        {SCK_EXTENT_DELALLOC, SC_EXTENT_DELAYED},
        {SCK_EXTENT_ENCODED, SC_EXTENT_ENCODED},
        {SCK_EXTENT_DATA_ENCRYPTED, SC_EXTENT_ENCRYPTED},
        {SCK_EXTENT_NOT_ALIGNED, SC_EXTENT_NOT_ALIGNED},
        {SCK_EXTENT_DATA_INLINE, SC_EXTENT_INLINE},
        {SCK_EXTENT_DATA_TAIL, SC_EXTENT_TAIL},
        {SCK_EXTENT_UNWRITTEN, SC_EXTENT_UNWRITTEN},
        {SCK_EXTENT_MERGED, SC_EXTENT_MERGED},
        {SCK_EXTENT_SHARED, SC_EXTENT_SHARED},
    };

    uint32_t result = 0;
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (kernel_flags & flags[i].from) {
            result |= flags[i].to;
            kernel_flags &= ~flags[i].from;
        }
    }
    return kernel_flags != 0 ? result | SC_EXTENT_OTHER : result;
}

int32_t sc_extents(
    int32_t fd, uint64_t start, uint64_t length, uint32_t flags, sc_extent *extents, uint32_t capacity)
{
    if (length == 0 || (flags & ~SC_EXTENTS_SYNC) != 0 || capacity > INT32_MAX) {
        return -EINVAL;
    }

    uint64_t end = length > UINT64_MAX - start ? UINT64_MAX : start + length;
    uint32_t count = 0;
    struct {
        sck_fiemap head;
        sck_fiemap_extent extents[BATCH];
    } map;

    while (count < capacity && start < end) {
        uint32_t wanted = capacity - count < BATCH ? capacity - count : BATCH;
        memset(&map.head, 0, sizeof(map.head));
        map.head.fm_start = start;
        map.head.fm_length = end - start;

        /* Once is enough: what becomes dirty after the call has begun is not part of its answer. */
        map.head.fm_flags = count == 0 && (flags & SC_EXTENTS_SYNC) ? SCK_FIEMAP_FLAG_SYNC : 0;
        map.head.fm_extent_count = wanted;
        int64_t result = sc_result(ioctl(fd, SCK_IOC_FIEMAP, &map));
        if (result < 0) {
            return result == -ENOTTY ? -EOPNOTSUPP : (int32_t)result;
        }

        uint32_t mapped = map.head.fm_mapped_extents < wanted ? map.head.fm_mapped_extents : wanted;
        for (uint32_t i = 0; i < mapped; i++) {
            const sck_fiemap_extent *from = &map.extents[i];
            extents[count++] = (sc_extent){
                .logical = from->fe_logical,
                .physical = from->fe_physical,
                .length = from->fe_length,
                .flags = translate_flags(from->fe_flags),
            };
        }

        /* Fewer than asked for: there are no more in the range. */
        if (mapped < wanted || (extents[count - 1].flags & SC_EXTENT_LAST) != 0) {
            break;
        }

        /* A file that changes meanwhile may give the same extent again; one that gives no progress would do so for ever. */
        uint64_t next = extents[count - 1].logical + extents[count - 1].length;
        if (next <= start) {
            break;
        }
        start = next;
    }
    return (int32_t)count;
}
