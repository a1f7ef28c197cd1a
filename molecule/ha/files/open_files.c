/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * OpenSearch refuses to start as one of several servers if it may open less than 65,535 files. Where the container engine may not raise
 * the limit of a container, this library answers 65,536. The tests need only some hundred files.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/resource.h>

#define FILES 65536

int getrlimit(__rlimit_resource_t resource, struct rlimit *limit) {
    int (*original)(__rlimit_resource_t, struct rlimit *) = dlsym(RTLD_NEXT, "getrlimit");
    int result = original(resource, limit);
    if (resource == RLIMIT_NOFILE) limit->rlim_cur = limit->rlim_max = FILES;
    return result;
}

int getrlimit64(__rlimit_resource_t resource, struct rlimit64 *limit) {
    int (*original)(__rlimit_resource_t, struct rlimit64 *) = dlsym(RTLD_NEXT, "getrlimit64");
    int result = original(resource, limit);
    if (resource == RLIMIT_NOFILE) limit->rlim_cur = limit->rlim_max = FILES;
    return result;
}

/* The JVM raises its limit to the maximum. */
int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) {
    int (*original)(__rlimit_resource_t, const struct rlimit *) = dlsym(RTLD_NEXT, "setrlimit");
    return resource == RLIMIT_NOFILE ? 0 : original(resource, limit);
}
