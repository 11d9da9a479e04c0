/* The clock of SQLite is off by $CLOCK seconds. The program's own, which Go reads, is not. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>

int gettimeofday(struct timeval *now, void *zone)
{
	int (*real)(struct timeval *, void *) = dlsym(RTLD_NEXT, "gettimeofday");
	int failed = real(now, zone);
	now->tv_sec += atol(getenv("CLOCK"));
	return failed;
}
