/** Bundles the benches into bench/out (git-ignored): the runner, and one file for each process or thread it starts. */
import { readFileSync } from 'node:fs';
import { build } from 'esbuild';

const { dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
const bundled = new Set(['zod', 'comlink', 'temporal-polyfill']);

await build({
  entryPoints: {
    main: 'bench/main.ts',
    results: 'bench/results.ts',
    'bare-floor': 'bench/peers/bare-floor/main.ts',
    'bare-floor.worker': 'bench/peers/bare-floor/reader.worker.ts',
    'bare-node': 'bench/peers/bare-node/main.ts',
    'bare-node.worker': 'bench/peers/bare-node/empty.worker.ts',
    'ps-list-agent': 'bench/peers/ps-list-agent.ts',
    traced: 'bench/detect/traced/main.ts',
    'traced.worker': 'bench/detect/traced/scanner.worker.ts',
    'delivery-host': 'bench/delivery/host.ts',
    'echo-actor.worker': 'bench/runtime/echo-actor.worker.ts',
    'echo-bare.worker': 'bench/runtime/echo-bare.worker.ts',
    'echo-comlink.worker': 'bench/runtime/echo-comlink.worker.ts',
  },
  outdir: 'bench/out',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  sourcemap: true,
  logLevel: 'warning',
  external: [...Object.keys(dependencies), ...Object.keys(devDependencies)].filter(
    (name) => !bundled.has(name),
  ),
});
