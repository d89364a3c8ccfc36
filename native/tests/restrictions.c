#include "restrictions.h"

#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

void forbid_system_call(int number, int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((uint32_t)error & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};
    CHECK_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        test_skip("no seccomp filter can be set: %s", strerror(errno));
    }
}

void lock_at_most(uint64_t bytes)
{
    if (geteuid() != 0) {
        test_skip("only root can become somebody else");
    }

    /* A user of its own: what other processes of that user have locked would count, too. */
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
    uid_t user = 200000 + (uid_t)getpid();
    CHECK_ERRNO(setrlimit(RLIMIT_MEMLOCK, &limit));
    CHECK_ERRNO(setgroups(0, NULL));
    CHECK_ERRNO(setresgid(user, user, user));
    CHECK_ERRNO(setresuid(user, user, user));
}
