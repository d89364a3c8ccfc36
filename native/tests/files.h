/* Files, file systems and memory for tests. */
#ifndef SC_TEST_FILES_H
#define SC_TEST_FILES_H

#include "testing.h"

#define BLOCK 4096u

/* A file without a name in a directory, "." for the working directory, of the given size, open for both. */
int file_create(const char *directory, uint64_t bytes);

/* Sets or clears O_DIRECT on a descriptor. */
void file_set_direct(int fd, bool direct);

/* Writes the pattern of seed to a file with ordinary means, and to the device. */
void file_fill(int fd, uint64_t offset, uint64_t bytes, uint32_t seed);

/* Whether a file holds the pattern of seed. The pattern belongs to the place in the file. */
bool file_holds(int fd, uint64_t offset, uint64_t bytes, uint32_t seed);

/*
 * Mounts a new file system of a type (xfs, btrfs, ext4, tmpfs) with mount options, seen by this process alone, and
 * returns its directory. Skips the test where that is not possible.
 */
const char *file_system_mount(const char *type, uint64_t bytes, const char *options);

/* Page-aligned memory, freed with the process. */
void *memory_create(uint64_t bytes);

/* The pattern of seed, as a file has it at offset. */
void pattern_fill(void *memory, uint64_t offset, uint64_t bytes, uint32_t seed);
bool pattern_holds(const void *memory, uint64_t offset, uint64_t bytes, uint32_t seed);

#endif
