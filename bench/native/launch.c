/*
 * Starts COUNT processes of PROGRAM, one every INTERVAL_US (give or take a quarter of it), with LIFE_MS as their
 * argument and LOG as their descriptor 3; prints how many it started and how long that took in ns once all have ended.
 * After LIMIT_MS none is started any more (0: no limit), so that a machine that cannot keep the pace starts fewer. A
 * program of its own, since a spawn holds Node's main thread for longer than what is measured.
 * launch LOG INTERVAL_US COUNT LIMIT_MS PROGRAM LIFE_MS
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc < 7) return 64;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int log = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (log < 0) return 74;
  dup2(log, 3);
  long interval = atol(argv[2]) * 1000;
  long count = atol(argv[3]);
  long long limit = atol(argv[4]) * 1000000LL;
  char *args[] = {argv[5], argv[6], NULL};
  char *env[] = {NULL};
  long long begun = now_ns();
  srand(1);
  long started = 0;
  for (; started < count && (limit == 0 || now_ns() - begun < limit); started++) {
    long long due = begun + started * (long long)interval + (rand() % 1000 - 500) * (long long)interval / 2000;
    struct timespec until = {due / 1000000000LL, due % 1000000000LL};
    if (due > begun) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    if (vfork() == 0) {
      execve(args[0], args, env);
      _exit(127);
    }
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
  }
  long long took = now_ns() - begun;
  while (wait(NULL) > 0) {}
  printf("%ld %lld\n", started, took);
  return 0;
}
