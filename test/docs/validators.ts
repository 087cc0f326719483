/** Validators made from a checked-in document: of the document itself, and of what it says about bodies and frames. */
import { readFileSync } from 'node:fs';
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

// biome-ignore lint/suspicious/noExplicitAny: tests look into documents whose shape is what they check
export type Document = any;

export function checkedIn(name: 'openapi' | 'asyncapi'): Document {
  return JSON.parse(readFileSync(new URL(`../../docs/${name}.json`, import.meta.url), 'utf8'));
}

/** Says what is wrong with a value under a named schema of the document; a key that the schema does not name is too. */
export function exactly(document: Document): (name: string, value: unknown) => ErrorObject[] {
  const ajv = new Ajv2020({ strictTypes: false, allowUnionTypes: true, keywords: ['components'] });
  formats.default(ajv);
  ajv.addSchema({ components: closed(document.components) }, 'document');
  return (name, value) => {
    const validate = ajv.getSchema(`document#/components/schemas/${name}`);
    if (!validate) throw new Error(`the document has no schema ${name}`);
    return validate(value) ? [] : (validate.errors ?? []);
  };
}

/** The document leaves objects open for keys of newer agents; this agent must send no other. */
function closed(value: Document): Document {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const inner = Object.fromEntries(Object.entries(value).map(([key, child]) => [key, closed(child)]));
  const isOpen = value.type === 'object' && value.properties && value.additionalProperties === undefined;
  return isOpen ? { ...inner, additionalProperties: false } : inner;
}

/** Every `$ref` of a document. */
export function references(value: Document): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = typeof value.$ref === 'string' ? [value.$ref] : [];
  return [...own, ...Object.values(value).flatMap(references)];
}

/** What a `#/…` reference points to; undefined when it points nowhere. */
export function target(document: Document, reference: string): Document {
  const keys = reference.slice(2).split('/');
  return keys.reduce((at, key) => at?.[key.replaceAll('~1', '/').replaceAll('~0', '~')], document);
}
