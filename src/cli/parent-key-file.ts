/**
 * Parent keys as text: what a key file holds, and the configuration document with one more or one less. Nothing
 * here reads or writes a file.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { readJsonDocument } from '../app/json-document.ts';
import { type ParentKey, parentKey, parseConfig } from '../protocol/config.ts';
import { EXIT, UserError } from '../protocol/exit-codes.ts';

/** An Ed25519 public key from a JWK or a PEM. Throws UserError 64 for anything else, a private key above all. */
export function readPublicKey(text: string): ParentKey {
  const trimmed = text.trim();
  return trimmed.startsWith('{') ? fromJwk(trimmed) : fromPem(trimmed);
}

function fromJwk(text: string): ParentKey {
  const document = parseObject(text);
  if (!document) throw refused('is not whole JSON');
  if ('d' in document) throw isPrivate();
  const parsed = parentKey.safeParse(document);
  if (!parsed.success)
    throw refused('is not an Ed25519 public key as JWK: {"kty":"OKP","crv":"Ed25519","x":"…"}');
  const { kty, crv, x, kid } = parsed.data;
  return { kty, crv, x, ...(kid !== undefined && { kid }) };
}

function fromPem(text: string): ParentKey {
  // Node would take the public half out of a private key without a word.
  if (text.includes('PRIVATE KEY')) throw isPrivate();
  let key: KeyObject;
  try {
    key = createPublicKey(text);
  } catch {
    throw refused('holds neither a JWK nor a PEM public key');
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw refused(`holds a key of type ${key.asymmetricKeyType}, not Ed25519`);
  return fromJwk(JSON.stringify(key.export({ format: 'jwk' })));
}

const refused = (why: string) => new UserError(EXIT.usage, `The key file ${why}.`);

const isPrivate = () =>
  refused('holds a private key: keep that on the phone, never on this PC, and give the public half only');

/** A configuration document, and how its author wrote it. */
export interface ConfigText {
  readonly document: Readonly<Record<string, unknown>>;
  readonly indent: string | number;
}

/**
 * Reads the document without touching it. Throws UserError 78 when it is not a JSON object, or one that the agent would
 * refuse: what is not understood could not be kept.
 */
export function readDocument(text: string, file: string): ConfigText {
  const read = readJsonDocument(text);
  const checked = read.ok ? parseConfig(read.document) : read;
  if (!checked.ok) {
    const problems = checked.errors.map((e) => `${e.path}: ${e.message}`).join('\n');
    throw new UserError(EXIT.config, `${file} does not hold, and nothing was written:\n${problems}`);
  }
  const document = read.ok && isObject(read.document) ? read.document : {};
  return { document, indent: /\n([ \t]+)"/.exec(text)?.[1] ?? 2 };
}

/** A parent key of the document. */
export interface Enrolled {
  readonly key: ParentKey;
  /** As its author wrote it, with members that say nothing to us. */
  readonly entry: unknown;
}

export function parentKeysOf({ document }: ConfigText): readonly Enrolled[] {
  const { security } = document;
  const entries: unknown = isObject(security) ? security.parent_keys : undefined;
  return Array.isArray(entries) ? entries.map((entry) => ({ key: parentKey.parse(entry), entry })) : [];
}

/** The document with these entries as parent keys and all else as it was. */
export function withParentKeys({ document, indent }: ConfigText, entries: readonly unknown[]): string {
  const security = isObject(document.security) ? document.security : {};
  const next = { ...document, security: { ...security, parent_keys: entries } };
  return `${JSON.stringify(next, null, indent)}\n`;
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
