/** The one place that names the files of worker threads: they stand beside the bundle, in dist/. */

/** `scanner` → the URL of dist/scanner.worker.js, from the bundle and from the sources (tests) alike. */
export function workerFile(name: 'scanner' | 'session' | 'executor'): URL {
  const base = import.meta.url.endsWith('.ts') ? '../../dist/' : './';
  return new URL(`${base}${name}.worker.js`, import.meta.url);
}
