/*
 * press PID EVENT: a console event (0 Ctrl-C, 1 Ctrl-Break, 2 the console is closed) for a process, as the system
 * itself brings it: a thread in that process that runs kernel32's CtrlRoutine. GenerateConsoleCtrlEvent, which asks
 * for the same, does not work in Wine 8.
 */
#include <windows.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    if (argc < 3) return 64;
    FARPROC routine = GetProcAddress(GetModuleHandleA("kernel32"), "CtrlRoutine");
    HANDLE process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, strtoul(argv[1], NULL, 10));
    void *event = (void *)(ULONG_PTR)strtoul(argv[2], NULL, 10);
    if (!routine || !process) return (int)GetLastError();
    return CreateRemoteThread(process, NULL, 0, (LPTHREAD_START_ROUTINE)(void *)routine, event, 0, NULL)
               ? 0
               : (int)GetLastError();
}
