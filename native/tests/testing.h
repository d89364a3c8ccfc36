/*
 * What the tests are written with. A failed check ends the process: there is one test in it.
 */
#ifndef SC_TESTING_H
#define SC_TESTING_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "storagecache_native.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void test_body(void);

void test_register(const char *name, test_body *body);

/* Declares a test; its name on the same line, for tests/CMakeLists.txt reads it from there. */
#define TEST(name)                                                                                                     \
    static void name(void);                                                                                            \
    __attribute__((constructor)) static void register_##name(void)                                                     \
    {                                                                                                                  \
        test_register(#name, name);                                                                                    \
    }                                                                                                                  \
    static void name(void)

/* Ends the process: the test cannot run here. */
_Noreturn void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

_Noreturn void test_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

void test_check_equal(
    const char *file, int line, const char *expected_text, long long expected, const char *actual_text, long long actual);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            test_fail(__FILE__, __LINE__, "%s", #condition);                                                           \
        }                                                                                                              \
    } while (0)

#define CHECK_EQUAL(expected, actual)                                                                                  \
    test_check_equal(__FILE__, __LINE__, #expected, (long long)(expected), #actual, (long long)(actual))

#define CHECK_ERRNO(call)                                                                                              \
    do {                                                                                                               \
        if ((call) < 0) {                                                                                              \
            test_fail(__FILE__, __LINE__, "%s: %s", #call, strerror(errno));                                           \
        }                                                                                                              \
    } while (0)

/* Runs body in a child process and returns what waitpid says of it. A failed check in there makes it exit with 1. */
int test_in_child(test_body *body);

/* Checks that body, run in a child process, comes to its end. */
#define CHECK_IN_CHILD(body)                                                                                           \
    do {                                                                                                               \
        int child_status = test_in_child(body);                                                                        \
        if (child_status != 0) {                                                                                       \
            test_fail(__FILE__, __LINE__, "%s ended with status 0x%x", #body, (unsigned)child_status);                 \
        }                                                                                                              \
    } while (0)

#endif
