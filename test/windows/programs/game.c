/*
 * A game for Windows, under whatever name it is copied to. What it does is its first argument; it ends by itself
 * after a minute, so that nothing outlives a test that failed.
 *
 *   sleep MS            no window, ends after MS
 *   window              a visible window, told as "shown", that ends the program when it is closed
 *   tray                a visible window that hides when it is closed; the program lives on
 *   guarded RIGHTS      denies everybody all rights on the process but these (hexadecimal), then says "guarded"
 *   launch FILE ARGS    starts FILE, waits half a second, ends
 *   family              starts itself once more with the same command line, then says "family"
 *   claim PID FILE      starts FILE as a process that has this pid, which must be free
 */
#include <windows.h>
#include <aclapi.h>
#include <stdio.h>
#include <stdlib.h>

#define LIFE_MS 60000

static int hides;

static LRESULT CALLBACK on_message(HWND window, UINT message, WPARAM w, LPARAM l) {
    if (message == WM_CLOSE && hides) return ShowWindow(window, SW_HIDE);
    if (message == WM_DESTROY || message == WM_TIMER) PostQuitMessage(0);
    return DefWindowProcW(window, message, w, l);
}

static void say(const char *what) {
    puts(what);
    fflush(stdout);
}

static int show_window(void) {
    WNDCLASSW class = {.lpfnWndProc = on_message, .lpszClassName = L"PlaywardenGame"};
    RegisterClassW(&class);
    HWND window = CreateWindowW(class.lpszClassName, L"Game", WS_OVERLAPPEDWINDOW | WS_VISIBLE, 0, 0, 320, 200,
                                NULL, NULL, NULL, NULL);
    if (!window) return (int)GetLastError();
    SetTimer(window, 1, LIFE_MS, NULL);
    say("shown");
    for (MSG message; GetMessageW(&message, NULL, 0, 0) > 0;) DispatchMessageW(&message);
    return 0;
}

static int guarded(DWORD rights) {
    BYTE everyone[SECURITY_MAX_SID_SIZE], acl[256];
    DWORD size = sizeof everyone;
    SECURITY_DESCRIPTOR descriptor;
    CreateWellKnownSid(WinWorldSid, NULL, everyone, &size);
    InitializeAcl((ACL *)acl, sizeof acl, ACL_REVISION);
    AddAccessAllowedAce((ACL *)acl, ACL_REVISION, rights, everyone);
    InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION);
    SetSecurityDescriptorDacl(&descriptor, TRUE, (ACL *)acl, FALSE);
    if (!SetKernelObjectSecurity(GetCurrentProcess(), DACL_SECURITY_INFORMATION, &descriptor))
        return (int)GetLastError();
    say("guarded");
    Sleep(LIFE_MS);
    return 0;
}

static int launch(char *const *words, int count) {
    char line[4096] = "";
    for (int i = 0; i < count; i++) {
        strcat(line, i ? " " : "\"");
        strcat(line, words[i]);
        if (i == 0) strcat(line, "\"");
    }
    STARTUPINFOA how = {.cb = sizeof how};
    PROCESS_INFORMATION started;
    if (!CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &how, &started)) return (int)GetLastError();
    Sleep(500);
    return 0;
}

static int family(void) {
    STARTUPINFOA how = {.cb = sizeof how};
    PROCESS_INFORMATION started;
    if (!getenv("PLAYWARDEN_FAMILY")) {
        SetEnvironmentVariableA("PLAYWARDEN_FAMILY", "1");
        CreateProcessA(NULL, GetCommandLineA(), NULL, NULL, FALSE, 0, NULL, NULL, &how, &started);
        say("family");
    }
    Sleep(LIFE_MS);
    return 0;
}

static DWORD WINAPI nothing(void *unused) {
    (void)unused;
    return 0;
}

/* The id of a thread that has come and gone. */
static DWORD used_up(void) {
    DWORD id;
    HANDLE thread = CreateThread(NULL, 0, nothing, NULL, 0, &id);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    return id;
}

/*
 * Processes and threads share their ids. Wine gives out the one that is free for the longest time, so one thread
 * after the other sees all free ids in turn, and the turn after that comes in the same order.
 */
static int claim(DWORD pid, char *file) {
    STARTUPINFOA how = {.cb = sizeof how};
    PROCESS_INFORMATION started;
    for (int tries = 0; tries < 20; tries++) {
        int turn = 1;
        for (int n = 0; used_up() != pid; n++)
            if (n > 10000) return 1;
        while (used_up() != pid) turn++;
        while (--turn > 0) used_up();
        if (!CreateProcessA(file, NULL, NULL, NULL, FALSE, 0, NULL, NULL, &how, &started)) return 2;
        if (started.dwProcessId == pid) return 0;
        TerminateProcess(started.hProcess, 0);
        WaitForSingleObject(started.hProcess, INFINITE);
        CloseHandle(started.hThread);
        CloseHandle(started.hProcess);
    }
    return 3;
}

int main(int argc, char **argv) {
    const char *does = argc > 1 ? argv[1] : "sleep";
    const char *what = argc > 2 ? argv[2] : "";
    hides = !strcmp(does, "tray");
    if (hides || !strcmp(does, "window")) return show_window();
    if (!strcmp(does, "guarded")) return guarded(strtoul(what, NULL, 16));
    if (!strcmp(does, "launch")) return launch(argv + 2, argc - 2);
    if (!strcmp(does, "family")) return family();
    if (!strcmp(does, "claim")) return argc > 3 ? claim(strtoul(what, NULL, 10), argv[3]) : 64;
    Sleep(*what ? (DWORD)atoi(what) : LIFE_MS);
    return 0;
}
