/** `npm run docs`: writes docs/openapi.json and docs/asyncapi.json. A test says when they are not current. */
import { mkdirSync, writeFileSync } from 'node:fs';
import manifest from '../../package.json' with { type: 'json' };
import { asyncApiDocument } from './asyncapi.ts';
import { openApiDocument } from './openapi.ts';

// Beside dist/, where the bundle of this file stands.
const folder = new URL('../docs/', import.meta.url);
mkdirSync(folder, { recursive: true });
for (const [file, document] of [
  ['openapi.json', openApiDocument(manifest.version)],
  ['asyncapi.json', asyncApiDocument(manifest.version)],
] as const) {
  writeFileSync(new URL(file, folder), `${JSON.stringify(document, null, 2)}\n`);
}
