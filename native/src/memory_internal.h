/* What the two kinds of memory share. */
#ifndef SC_MEMORY_INTERNAL_H
#define SC_MEMORY_INTERNAL_H

#include "internal.h"

/* Whether a size is a positive multiple of the kernel's page. */
bool sc_is_page_multiple(uint64_t value);

/* Reserves aligned address space, as sc_memory_reserve does. */
int32_t sc_reserve(uint64_t bytes, uint64_t alignment, void **address);

#endif
