/* A slower disk: after every fsync and fdatasync that the disk has done, so many microseconds more.
 *
 * Loaded with LD_PRELOAD; BENCH_FSYNC_US says how many. A thread that syncs sleeps, as it would
 * wait for a disk; it takes no processor time, and other threads go on.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void linger(void) {
  const char *asked = getenv("BENCH_FSYNC_US");
  long microseconds = asked ? atol(asked) : 0;
  struct timespec pause = {microseconds / 1000000, microseconds % 1000000 * 1000};
  if (microseconds > 0) nanosleep(&pause, NULL);
}

int fsync(int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  int result = real(fd);
  linger();
  return result;
}

int fdatasync(int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  int result = real(fd);
  linger();
  return result;
}
