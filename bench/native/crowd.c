/*
 * COUNT processes that do nothing (`crowd COUNT idle`) or nothing but run (`crowd COUNT busy`), until standard input
 * ends. They go with their parent, however that ends; asked to end (SIGTERM), it waits for them, as what nobody waited
 * for stays in /proc for a while.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 3) return 64;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGTERM, SIG_IGN);
  int count = atoi(argv[1]);
  int busy = strcmp(argv[2], "busy") == 0;
  pid_t *pids = calloc(count, sizeof *pids);
  for (int i = 0; i < count; i++) {
    pids[i] = fork();
    if (pids[i] < 0) return 70;
    if (pids[i] == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (volatile unsigned n = 0;; n++)
        if (!busy) pause();
    }
  }
  puts("ready");
  fflush(stdout);
  char ignored;
  while (read(0, &ignored, 1) > 0) {}
  for (int i = 0; i < count; i++) kill(pids[i], SIGKILL);
  while (wait(NULL) > 0) {}
  return 0;
}
