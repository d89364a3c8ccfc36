#include "files.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

int file_create(const char *directory, uint64_t bytes)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/storagecache-test-XXXXXX", directory);
    int fd = mkstemp(path);
    CHECK_ERRNO(fd);
    CHECK_ERRNO(unlink(path));
    CHECK_ERRNO(ftruncate(fd, (off_t)bytes));
    return fd;
}

void file_set_direct(int fd, bool direct)
{
    int flags = fcntl(fd, F_GETFL);
    CHECK_ERRNO(flags);
    CHECK_ERRNO(fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT));
}

static uint32_t pattern_word(uint64_t index, uint32_t seed)
{
    uint64_t x = (index + 1) * 0x9e3779b97f4a7c15ull + seed * 0xc2b2ae3d27d4eb4full;
    return (uint32_t)((x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ull >> 32);
}

void pattern_fill(void *memory, uint64_t offset, uint64_t bytes, uint32_t seed)
{
    uint32_t *words = memory;
    for (uint64_t i = 0; i < bytes / sizeof(*words); i++) {
        words[i] = pattern_word(offset / sizeof(*words) + i, seed);
    }
}

bool pattern_holds(const void *memory, uint64_t offset, uint64_t bytes, uint32_t seed)
{
    const uint32_t *words = memory;
    for (uint64_t i = 0; i < bytes / sizeof(*words); i++) {
        if (words[i] != pattern_word(offset / sizeof(*words) + i, seed)) {
            return false;
        }
    }
    return true;
}

void *memory_create(uint64_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

void file_fill(int fd, uint64_t offset, uint64_t bytes, uint32_t seed)
{
    void *memory = memory_create(bytes);
    pattern_fill(memory, offset, bytes, seed);
    CHECK_EQUAL(bytes, pwrite(fd, memory, bytes, (off_t)offset));
    CHECK_ERRNO(fsync(fd));
    munmap(memory, bytes);
}

bool file_holds(int fd, uint64_t offset, uint64_t bytes, uint32_t seed)
{
    void *memory = memory_create(bytes);
    CHECK_EQUAL(bytes, pread(fd, memory, bytes, (off_t)offset));
    bool holds = pattern_holds(memory, offset, bytes, seed);
    munmap(memory, bytes);
    return holds;
}

static char mount_point[32];

static void remove_mount(void)
{
    /* Lazily: descriptors may be open. The mount itself ends with this process's name space in any case. */
    (void)umount2(mount_point, MNT_DETACH);
    (void)rmdir(mount_point);
}

static int run(char *const arguments[])
{
    fflush(NULL);
    pid_t child = fork();
    CHECK_ERRNO(child);
    if (child == 0) {
        execvp(arguments[0], arguments);
        _exit(127);
    }

    int status;
    CHECK_ERRNO(waitpid(child, &status, 0));
    return status;
}

const char *file_system_mount(const char *type, uint64_t bytes, const char *options)
{
    if (geteuid() != 0) {
        test_skip("only root mounts file systems");
    }
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        test_skip("no name space for mounts: %s", strerror(errno));
    }

    snprintf(mount_point, sizeof(mount_point), "mount-XXXXXX");
    CHECK(mkdtemp(mount_point) != NULL);
    CHECK_EQUAL(0, atexit(remove_mount));
    if (strcmp(type, "tmpfs") == 0) {
        CHECK_ERRNO(mount("tmpfs", mount_point, "tmpfs", 0, options));
        return mount_point;
    }

    char image[64];
    snprintf(image, sizeof(image), "%s.image", mount_point);
    int fd = open(image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK_ERRNO(fd);
    CHECK_ERRNO(ftruncate(fd, (off_t)bytes));
    close(fd);

    char program[32];
    snprintf(program, sizeof(program), "mkfs.%s", type);
    char *format[] = {program, "-q", image, NULL};
    if (run(format) != 0) {
        (void)unlink(image);
        test_skip("%s cannot be run", program);
    }

    char with_loop[128];
    snprintf(with_loop, sizeof(with_loop), "loop%s%s", options != NULL ? "," : "", options != NULL ? options : "");
    char type_argument[16];
    snprintf(type_argument, sizeof(type_argument), "%s", type);
    char *arguments[] = {"mount", "-t", type_argument, "-o", with_loop, image, mount_point, NULL};
    int mounted = run(arguments);
    CHECK_ERRNO(unlink(image)); /* the loop device holds it */
    if (mounted != 0) {
        test_skip("no loop mount of %s", type);
    }
    return mount_point;
}
