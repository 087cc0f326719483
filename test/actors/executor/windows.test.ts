/** Closing on Windows, on scripted calls: which handle is used for what, and what each refusal is called. */
import { describe, expect, it } from 'vitest';
import type { Handle, Win32 } from '../../../src/actors/executor/platform/win32.ts';
import { windowsControl } from '../../../src/actors/executor/platform/windows.ts';
import { AccessDenied } from '../../../src/actors/executor/process-control.ts';

const GAME = {
  pid: 40,
  startKey: '133',
  path: 'C:\\Games\\player.exe',
  command: '"C:\\Games\\player.exe" --play',
};

class FakeWin32 implements Win32 {
  readonly opened = new Set<Handle>();
  readonly done: string[] = [];
  game = { ...GAME, exited: false };
  rights = { query: true, terminate: true };
  windows = 1;
  mayTerminate = true;

  processes() {
    return [
      { pid: 40, parentPid: 4 },
      { pid: 41, parentPid: 40 },
    ];
  }
  open(pid: number, rights: 'query' | 'terminate') {
    if (pid !== 40 || !this.rights[rights]) return null;
    const handle = 1_000 + this.opened.size;
    this.opened.add(handle);
    return handle;
  }
  close(handle: Handle) {
    this.opened.delete(handle);
  }
  hasExited = () => this.game.exited;
  creationTime = () => this.game.startKey;
  imagePath = () => this.game.path;
  commandLine = () => this.game.command;
  terminate() {
    this.done.push('terminate');
    return this.mayTerminate;
  }
  closeWindows() {
    this.done.push('close windows');
    return this.windows;
  }
}

describe('closing on Windows', () => {
  it('K4: asks through its windows and forces through a handle, and leaves none open', () => {
    const win32 = new FakeWin32();
    const control = windowsControl(win32);
    expect(control.look(40)).toEqual(GAME);
    expect(control.ask(GAME)).toEqual({ kind: 'done' });
    expect(control.force(GAME)).toEqual({ kind: 'done' });
    expect(win32.done).toEqual(['close windows', 'terminate']);
    expect(win32.opened.size).toBe(0);
  });

  it('K4: a process without windows cannot be asked', () => {
    const win32 = new FakeWin32();
    win32.windows = 0;
    expect(windowsControl(win32).ask(GAME)).toEqual({ kind: 'cannot' });
  });

  it.each([
    ['another creation time', { startKey: '134' }],
    ['another image', { path: 'C:\\Windows\\notepad.exe' }],
    ['another command line', { command: 'player.exe --editor' }],
    ['exited', { exited: true }],
  ])('K4: a pid with %s is not touched', (_what, now) => {
    const win32 = new FakeWin32();
    win32.game = { ...win32.game, ...now };
    const control = windowsControl(win32);
    expect(control.ask(GAME)).toEqual({ kind: 'gone' });
    expect(control.force(GAME)).toEqual({ kind: 'gone' });
    expect(win32.done).toEqual([]);
  });

  it('K4: without the right to end it, or refused by the system, it is denied', () => {
    const win32 = new FakeWin32();
    win32.mayTerminate = false;
    expect(windowsControl(win32).force(GAME)).toMatchObject({ kind: 'denied' });
    win32.rights.terminate = false;
    expect(windowsControl(win32).force(GAME)).toMatchObject({ kind: 'denied' });
  });

  it('K4: a process that may not be looked at is not taken for gone', () => {
    const win32 = new FakeWin32();
    win32.rights.query = false;
    const control = windowsControl(win32);
    expect(() => control.look(40)).toThrow(AccessDenied);
    expect(control.look(39)).toBeNull();
  });

  it('its children are those the snapshot gives to it', () => {
    const control = windowsControl(new FakeWin32());
    const root = control.look(40);
    expect(root && control.relatives(new Set([40]), root)).toEqual([{ pid: 41 }]);
  });
});
