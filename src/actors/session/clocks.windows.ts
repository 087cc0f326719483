/**
 * Clocks on Windows: process.hrtime (QPC) runs on through sleep. GetTickCount64 counts sleep,
 * QueryUnbiasedInterruptTime does not; both are coarse (16 ms), so only their difference is used. The boot id is
 * the counter that Windows keeps of its boots; the zone comes from the ICU that Windows ships since 10 2004, and
 * stays Node's own on older ones.
 */
import type { PlatformClocks } from './clocks.ts';

/** 0x80000002, sign-extended as Windows has it. */
const HKEY_LOCAL_MACHINE = 0xffffffff80000002n;
const RRF_RT_REG_DWORD = 0x10;
const BOOT_COUNTER_KEY =
  'SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Memory Management\\PrefetchParameters';
const ZONE_CHARACTERS = 128;
/** Two calls that lie no further apart were made together, ms: the tick count moves by 16. */
const TOGETHER_MS = 32;
const TRIES = 5;

export async function windowsClocks(): Promise<PlatformClocks> {
  const { default: koffi } = await import('koffi');
  const kernel = koffi.load('kernel32.dll');
  const ticks = kernel.func('uint64_t __stdcall GetTickCount64()');
  const unbiased = kernel.func('bool __stdcall QueryUnbiasedInterruptTime(_Out_ uint64_t *time)');
  const registry = koffi
    .load('advapi32.dll')
    .func(
      'long __stdcall RegGetValueW(uintptr_t key, str16 sub, str16 name, uint32_t flags, void *type, _Out_ uint32_t *data, _Inout_ uint32_t *size)',
    );
  return {
    bootId: bootCounter(registry),
    hrtimeStandsStill: false,
    asleepMs() {
      const awake: (number | bigint)[] = [0];
      let now = Number(ticks());
      // A thread that had to wait between the two calls would take that for sleep.
      for (let before = 0, tries = 0; tries < TRIES && now - before > TOGETHER_MS; tries++) {
        before = now;
        unbiased(awake);
        now = Number(ticks());
      }
      // Units of 100 ns.
      return now - Number(awake[0] ?? 0) / 10_000;
    },
    zone: hostZone(koffi),
  };
}

/** Without the counter boots are told apart by the elapsed clock alone, which starts again at each. */
function bootCounter(registry: (...args: unknown[]) => number): string {
  const value = [0];
  const failed = registry(HKEY_LOCAL_MACHINE, BOOT_COUNTER_KEY, 'BootId', RRF_RT_REG_DWORD, null, value, [4]);
  return failed ? 'boot' : `boot-${value[0]}`;
}

function hostZone(koffi: typeof import('koffi').default): () => string | null {
  try {
    const ask = koffi
      .load('icu.dll')
      .func(
        'int32_t __cdecl ucal_getHostTimeZone(_Out_ uint16_t *zone, int32_t capacity, _Inout_ int32_t *error)',
      );
    return () => {
      const text = Buffer.alloc(ZONE_CHARACTERS * 2);
      const error = [0];
      const length: number = ask(text, ZONE_CHARACTERS, error);
      return (error[0] ?? 0) > 0 || length <= 0 ? null : text.toString('utf16le', 0, length * 2);
    };
  } catch {
    return () => null;
  }
}
