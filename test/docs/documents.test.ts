/** docs/openapi.json and docs/asyncapi.json are current, valid, and say nothing else than the code and PROTOCOL.md. */
import { readFileSync } from 'node:fs';
import specs from '@asyncapi/specs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import manifest from '../../package.json' with { type: 'json' };
import { asyncApiDocument } from '../../src/docs/asyncapi.ts';
import { openApiDocument } from '../../src/docs/openapi.ts';
import { clientFrame, helloFrame, serverFrame } from '../../src/protocol/frames.ts';
import { agentFigures } from '../../src/protocol/http-answers.ts';
import { PROBLEMS } from '../../src/protocol/problems.ts';
import type { RouteContext } from '../../src/transport/routes/context.ts';
import { routeTable } from '../../src/transport/routes/table.ts';
import { checkedIn, exactly, references, target } from './validators.ts';

const openapi = checkedIn('openapi');
const asyncapi = checkedIn('asyncapi');

describe('both documents', () => {
  test('are what `npm run docs` writes', () => {
    expect(openapi).toEqual(JSON.parse(JSON.stringify(openApiDocument(manifest.version))));
    expect(asyncapi).toEqual(JSON.parse(JSON.stringify(asyncApiDocument(manifest.version))));
  });

  test('hold under the official schemas of OpenAPI 3.1 and AsyncAPI 3.0', async () => {
    expect(await new Validator().validate(structuredClone(openapi))).toEqual({ valid: true });
    const ajv = new Ajv({ strict: false });
    formats.default(ajv);
    const official: object = specs.schemasWithoutId['3.0.0'];
    const validate = ajv.compile(official);
    validate(asyncapi);
    expect(validate.errors).toBeNull();
  });

  test('have no reference that points nowhere, and no schema that nothing refers to', () => {
    for (const document of [openapi, asyncapi]) {
      const used = references(document);
      for (const reference of used) expect(target(document, reference), reference).toBeDefined();
      const named = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
      expect(named.filter((name) => !used.includes(name))).toEqual([]);
    }
  });

  test('every schema is a schema', () => {
    for (const document of [openapi, asyncapi]) {
      const errors = exactly(document);
      for (const name of Object.keys(document.components.schemas))
        expect(() => errors(name, {})).not.toThrow();
    }
  });
});

describe('the OpenAPI document', () => {
  const routes = routeTable({} as RouteContext);

  test('has exactly the routes of the server, each with its method', () => {
    const documented = Object.entries<object>(openapi.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(documented.sort()).toEqual(routes.map(({ method, path }) => `${method} ${path}`).sort());
  });

  test('says which bodies are required', () => {
    for (const { method, path, body } of routes) {
      const { requestBody } = openapi.paths[path][method.toLowerCase()];
      expect(requestBody?.required, path).toBe({ none: undefined, optional: false, required: true }[body]);
    }
  });
});

describe('the AsyncAPI document', () => {
  test('has every frame that either side may send, and every event', () => {
    const types = (names: readonly { $ref: string }[]) =>
      names
        .flatMap(({ $ref }) => typesOf(asyncapi, target(asyncapi, target(asyncapi, $ref).$ref).payload))
        .sort();
    const ofAction = (action: string) =>
      Object.values<{
        action: string;
        messages: { $ref: string }[];
        reply?: { messages: { $ref: string }[] };
      }>(asyncapi.operations).flatMap((o) => (o.action === action ? o.messages : (o.reply?.messages ?? [])));
    const literals = (union: {
      def: { options: readonly { shape: { type: { def: { values: unknown[] } } } }[] };
    }) => union.def.options.map((frame) => String(frame.shape.type.def.values[0]));
    expect([...new Set(types(ofAction('receive')))]).toEqual(literals(clientFrame).sort());
    const sent = new Set(types(ofAction('send')));
    expect(literals(serverFrame).filter((type) => !sent.has(type))).toEqual([]);
    expect(sent.has('roblox_event') && sent.has('agent_event')).toBe(true);
  });
});

test('every problem of the table is documented, where it can come', () => {
  const told = JSON.stringify([openapi, asyncapi]);
  expect(Object.keys(PROBLEMS).filter((slug) => !new RegExp(`[\`"]${slug}[\`"]`).test(told))).toEqual([]);
});

test('the examples of PROTOCOL.md fit the schemas', () => {
  const text = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8');
  const examples = [...text.matchAll(/```json\n(.*?)```/gs)].map(([, json]) => JSON.parse(json ?? ''));
  const errors = exactly(openapi);
  const fits = (name: string, has: string) => {
    const found = examples.filter((example) => has in example);
    expect(found.length, name).toBeGreaterThan(0);
    for (const example of found) expect(errors(name, example), name).toEqual([]);
  };
  fits('Event', 'meta');
  fits('Gap', 'lost');
  fits('Command', 'parameters');
});

test('PROTOCOL.md names every key of `agent` in the status, and of a hello', () => {
  const text = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8');
  const status = /^\*\*Status\.\*\*.*?\n\n/ms.exec(text)?.[0] ?? '';
  const keysOf = (schema: object): string[] =>
    Object.entries(schema).flatMap(([key, inner]) => {
      if (typeof inner !== 'object' || inner === null) return [];
      return [...(key === 'properties' ? Object.keys(inner) : []), ...keysOf(inner)];
    });
  const missing = (keys: readonly string[], where: string) =>
    keys.filter((key) => !new RegExp(`\\b${key}\\b`).test(where));
  expect(missing(keysOf(z.toJSONSchema(agentFigures)), status)).toEqual([]);
  expect(missing(Object.keys(helloFrame.shape), text.slice(0, text.indexOf('### Close codes')))).toEqual([]);
});

/** The values of `type` that a schema allows. */
function typesOf(document: typeof openapi, schema: typeof openapi): string[] {
  if (schema.$ref) return typesOf(document, target(document, schema.$ref));
  const branches = schema.oneOf ?? schema.anyOf;
  return branches
    ? branches.flatMap((s: typeof openapi) => typesOf(document, s))
    : [schema.properties.type.const];
}
