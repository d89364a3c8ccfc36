/* Takes things away from the process that runs. */
#ifndef SC_TEST_RESTRICTIONS_H
#define SC_TEST_RESTRICTIONS_H

#include "testing.h"

/* Makes a system call fail with an error from now on, as a container's seccomp filter does. */
void forbid_system_call(int number, int error);

/* Goes on as an ordinary user who may lock no more than so many bytes. Skips the test where the process is not root. */
void lock_at_most(uint64_t bytes);

#endif
