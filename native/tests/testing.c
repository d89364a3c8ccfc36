#include "testing.h"

#include <stdarg.h>
#include <sys/wait.h>

#define MOST_TESTS 64
#define SKIPPED 77

static struct {
    const char *name;
    test_body *body;
} tests[MOST_TESTS];
static int test_count;

void test_register(const char *name, test_body *body)
{
    if (test_count == MOST_TESTS) {
        abort();
    }
    tests[test_count].name = name;
    tests[test_count].body = body;
    test_count++;
}

void test_skip(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("skipped: ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    exit(SKIPPED);
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: failed: ", file, line);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);

    /* Not exit: it would wait for other threads' files, and the leak check would drown the reason. */
    _exit(1);
}

void test_check_equal(
    const char *file, int line, const char *expected_text, long long expected, const char *actual_text, long long actual)
{
    if (expected != actual) {
        test_fail(file, line, "%s is %lld, not %s (%lld)", actual_text, actual, expected_text, expected);
    }
}

int test_in_child(test_body *body)
{
    fflush(NULL);
    pid_t child = fork();
    CHECK_ERRNO(child);
    if (child == 0) {
        body();
        _exit(0);
    }

    int status;
    CHECK_ERRNO(waitpid(child, &status, 0));
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s TEST\n", argv[0]);
        for (int i = 0; i < test_count; i++) {
            fprintf(stderr, "  %s\n", tests[i].name);
        }
        return 2;
    }

    for (int i = 0; i < test_count; i++) {
        if (strcmp(argv[1], tests[i].name) == 0) {
            tests[i].body();
            return 0;
        }
    }
    fprintf(stderr, "no test %s\n", argv[1]);
    return 2;
}
