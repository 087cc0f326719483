/** ARCHITECTURE.md's table of layers is what the code imports: whatever a folder imports stands in its row. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));

/** `src/store/log.ts` → `store`, `src/app.ts` → `app`. */
const layerOf = (path: string) => path.split('/')[0]?.replace(/\.ts$/, '') ?? '';

/** What a row allows, by the layers that it names: layers and packages, `all` for every layer. */
function table(): ReadonlyMap<string, readonly string[]> {
  const text = readFileSync(`${SRC}../ARCHITECTURE.md`, 'utf8');
  const rows = [...text.matchAll(/^\| (`src\/[^|]+)\|[^|]+\|([^|]+)\|$/gm)];
  return new Map(
    rows.flatMap(([, folders = '', imports = '']) =>
      [...folders.matchAll(/`src\/([^`]+)`/g)].map(([, path = '']) => [
        layerOf(path),
        imports.match(/[@\w][\w./-]*/g) ?? [],
      ]),
    ),
  );
}

/** Of each layer what its files import: layers, packages, and `node:` for Node's own. */
function imported(): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const file of readdirSync(SRC, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.endsWith('.d.ts')) continue;
    const layer = layerOf(file);
    const of = found.get(layer) ?? new Set();
    found.set(layer, of);
    const text = readFileSync(SRC + file, 'utf8');
    for (const [, from, alone, now] of text.matchAll(
      /^(?:import|export)\s[^;']*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm,
    )) {
      const what = from ?? alone ?? now ?? '';
      if (what.startsWith('node:')) of.add('node:');
      else if (what.startsWith('.')) of.add(layerOf(new URL(what, `file:///${file}`).pathname.slice(1)));
      else of.add(what.split('/', what.startsWith('@') ? 2 : 1).join('/'));
    }
    of.delete(layer);
  }
  return found;
}

test('every folder imports what its row of the table says, and nothing else', () => {
  const allowed = table();
  const layers = imported();
  expect([...layers.keys()].sort()).toEqual([...allowed.keys()].sort());
  const strange = [...layers].flatMap(([layer, names]) => {
    const may = allowed.get(layer) ?? [];
    const free = (name: string) =>
      may.includes(name) ||
      (name === 'node:' && layer !== 'protocol') ||
      (layers.has(name) && may.includes('all')) ||
      name === 'package.json';
    return [...names].filter((name) => !free(name)).map((name) => `${layer} imports ${name}`);
  });
  expect(strange).toEqual([]);
  expect(layers.get('store')).toContain('libsql');
});
