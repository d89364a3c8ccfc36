#include "internal.h"

int32_t sc_abi_version(void)
{
    return SC_ABI_VERSION;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

_Static_assert(sizeof(sc_request) == 40, "part of the binary interface");
_Static_assert(sizeof(sc_completion) == 16, "part of the binary interface");
_Static_assert(sizeof(sc_ring_properties) == 32, "part of the binary interface");
_Static_assert(sizeof(sc_extent) == 32, "part of the binary interface");

int32_t sc_struct_layout(uint32_t structure, uint32_t *values, uint32_t capacity)
{
    static const uint32_t request[] = {
        sizeof(sc_request),
        _Alignof(sc_request),
        offsetof(sc_request, operation),
        offsetof(sc_request, flags),
        offsetof(sc_request, buffer_index),
        offsetof(sc_request, fd),
        offsetof(sc_request, offset),
        offsetof(sc_request, address),
        offsetof(sc_request, length),
        offsetof(sc_request, transfer_flags),
        offsetof(sc_request, user_data),
    };
    static const uint32_t completion[] = {
        sizeof(sc_completion),
        _Alignof(sc_completion),
        offsetof(sc_completion, user_data),
        offsetof(sc_completion, result),
        offsetof(sc_completion, flags),
    };
    static const uint32_t ring_properties[] = {
        sizeof(sc_ring_properties),
        _Alignof(sc_ring_properties),
        offsetof(sc_ring_properties, fd),
        offsetof(sc_ring_properties, flags),
        offsetof(sc_ring_properties, features),
        offsetof(sc_ring_properties, kernel_features),
        offsetof(sc_ring_properties, submission_entries),
        offsetof(sc_ring_properties, completion_entries),
        offsetof(sc_ring_properties, mapped_bytes),
    };
    static const uint32_t extent[] = {
        sizeof(sc_extent),
        _Alignof(sc_extent),
        offsetof(sc_extent, logical),
        offsetof(sc_extent, physical),
        offsetof(sc_extent, length),
        offsetof(sc_extent, flags),
        offsetof(sc_extent, reserved),
    };
    static const uint32_t vector[] = {
        sizeof(struct iovec),
        _Alignof(struct iovec),
        offsetof(struct iovec, iov_base),
        offsetof(struct iovec, iov_len),
    };
    static const struct {
        const uint32_t *values;
        uint32_t count;
    } layouts[] = {
        [SC_STRUCT_REQUEST] = {request, COUNT(request)},
        [SC_STRUCT_COMPLETION] = {completion, COUNT(completion)},
        [SC_STRUCT_RING_PROPERTIES] = {ring_properties, COUNT(ring_properties)},
        [SC_STRUCT_EXTENT] = {extent, COUNT(extent)},
        [SC_STRUCT_IOVEC] = {vector, COUNT(vector)},
    };

    if (structure >= COUNT(layouts)) {
        return -EINVAL;
    }

    for (uint32_t i = 0; i < layouts[structure].count && i < capacity; i++) {
        values[i] = layouts[structure].values[i];
    }
    return (int32_t)layouts[structure].count;
}
