import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { parentKeysOf, readDocument, readPublicKey, withParentKeys } from '../../src/cli/parent-key-file.ts';
import type { ParentKey } from '../../src/protocol/config.ts';
import { UserError } from '../../src/protocol/exit-codes.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const jwk = publicKey.export({ format: 'jwk' }) as unknown as ParentKey;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });

const text = (value: unknown) => JSON.stringify(value);
const document = (value: string) => readDocument(value, 'config.json');

describe('K5: a key file', () => {
  test('holds an Ed25519 public key as JWK; its name is kept, other members are not', () => {
    expect(readPublicKey(text({ ...jwk, kid: 'mum', alg: 'EdDSA', use: 'sig' }))).toEqual({
      ...jwk,
      kid: 'mum',
    });
  });

  test('or as PEM', () => {
    expect(readPublicKey(`${publicKey.export({ format: 'pem', type: 'spki' })}\n`)).toEqual(jwk);
  });

  test.each([
    ['a private JWK', text(privateKey.export({ format: 'jwk' }))],
    ['a private PEM', String(privateKey.export({ format: 'pem', type: 'pkcs8' }))],
    ['a private PEM of another kind', String(rsa.privateKey.export({ format: 'pem', type: 'pkcs1' }))],
  ])('%s is refused as private', (_title, given) => {
    expect(() => readPublicKey(given)).toThrow(/private key/);
  });

  test.each([
    ['nothing', ''],
    ['half a JWK', '{"kty":"OKP"'],
    ['a JWK of another curve', text({ kty: 'OKP', crv: 'X25519', x: jwk.x })],
    ['a JWK that is too short', text({ ...jwk, x: 'AAAA' })],
    ['an RSA key as PEM', String(rsa.publicKey.export({ format: 'pem', type: 'spki' }))],
    ['some other text', 'ssh-ed25519 AAAAC3 mum@phone'],
  ])('%s is refused', (_title, given) => {
    expect(() => readPublicKey(given)).toThrow(UserError);
  });
});

describe('the configuration with parent keys', () => {
  test('all else stays: values, unknown order, indentation', () => {
    const before =
      '{\n\t"profiles": { "lou": { "daily_limit_minutes": 45.5 } },\n\t"security": { "allowed_origins": [] }\n}';
    const after = withParentKeys(document(before), [jwk]);
    expect(JSON.parse(after)).toEqual({
      profiles: { lou: { daily_limit_minutes: 45.5 } },
      security: { allowed_origins: [], parent_keys: [jwk] },
    });
    expect(Object.keys(JSON.parse(after))).toEqual(['profiles', 'security']);
    expect(after).toContain('\n\t"profiles"');
  });

  test('an empty document gets the one key', () => {
    const after = document(withParentKeys(document('{}'), [jwk]));
    expect(parentKeysOf(after)).toEqual([{ key: jwk, entry: jwk }]);
    expect(parentKeysOf(document(withParentKeys(after, [])))).toEqual([]);
  });

  test('a byte-order mark is passed over', () => {
    expect(document('\uFEFF{"day":{}}').document).toEqual({ day: {} });
  });

  test.each([
    ['a document that is none', '[]'],
    ['half a document', '{'],
    ['a key that stands twice, of which one would be lost', '{"day":{},"day":{}}'],
  ])('%s is refused', (_title, given) => {
    expect(() => document(given)).toThrow(/config\.json does not hold, and nothing was written/);
  });

  test('an entry keeps the members that say nothing to us', () => {
    const entry = { ...jwk, kid: 'mum', use: 'sig', note: 'the blue phone' };
    const before = document(text({ security: { parent_keys: [entry] } }));
    expect(parentKeysOf(before)).toEqual([{ key: { ...jwk, kid: 'mum' }, entry }]);
  });

  test.each([
    ['an unknown key', '{"colour":1}', /nothing was written:\ncolour: /],
    [
      'a parent key that is none',
      text({ security: { parent_keys: [{ ...jwk, x: 'A' }] } }),
      /parent_keys\.0\.x/,
    ],
    ['parent keys that are no list', '{"security":{"parent_keys":{}}}', /security\.parent_keys: /],
  ])('a document with %s does not hold, and says why', (_title, given, why) => {
    expect(() => document(given)).toThrow(why);
  });
});
