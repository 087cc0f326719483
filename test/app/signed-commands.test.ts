/** Commands signed by a parent's key: what counts, and what each forgery is called. */
import { CompactSign, calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { verifySigned } from '../../src/app/signed-commands.ts';
import { verifiedLately } from '../../src/app/verified-lately.ts';
import type { ParentKey } from '../../src/protocol/config.ts';
import type { Answer } from '../../src/protocol/ports.ts';
import { AGENT_ID, CommandBench } from '../helpers/command-bench.ts';

type PrivateKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];
interface Parent {
  readonly privateKey: PrivateKey;
  readonly publicKey: ParentKey;
}

let parent: Parent;
let stranger: Parent;

beforeAll(async () => {
  [parent, stranger] = await Promise.all([newParent(), newParent()]);
});

async function newParent(): Promise<Parent> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const { x = '' } = await exportJWK(publicKey);
  return { privateKey, publicKey: { kty: 'OKP', crv: 'Ed25519', x } };
}

const signedBench = (...keys: ParentKey[]) =>
  new CommandBench({ security: { parent_keys: keys.length > 0 ? keys : [parent.publicKey] } });

interface Given {
  readonly by?: Parent;
  readonly header?: Record<string, unknown>;
  readonly over?: Record<string, unknown>;
}

async function sign(
  bench: CommandBench,
  { by = parent, header = {}, over = {} }: Given = {},
): Promise<string> {
  const nowS = bench.clock.wall() / 1_000;
  const payload = {
    command: 'extend_time',
    parameters: { minutes: 15 },
    command_id: 'c1',
    iat: nowS,
    exp: nowS + 60,
    aud: AGENT_ID,
    ...over,
  };
  const text = JSON.stringify(payload);
  return new CompactSign(Buffer.from(text))
    .setProtectedHeader({ alg: 'EdDSA', ...header })
    .sign(by.privateKey);
}

const slug = (answer: Answer<unknown>) => (answer.ok ? 'ok' : answer.problem.slug);

/** The JWS with its payload replaced and the old signature kept. */
function rewritten(jws: string, change: (payload: Record<string, unknown>) => void): string {
  const [header, payload = '', signature] = jws.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  change(claims);
  return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
}

describe('a signed command', () => {
  it.each(['view', 'control'] as const)('K5: is carried out whichever token brings it (%s)', async (role) => {
    const bench = signedBench();
    expect(slug(await bench.desk.command({ jws: await sign(bench) }, role))).toBe('ok');
    expect(bench.effects).toHaveLength(1);
  });

  it('K5: may be made with the usual JWT tools', async () => {
    const bench = signedBench();
    const jws = await new SignJWT({ command: 'resume', command_id: 'c1' })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT' })
      .setIssuedAt(bench.clock.wall() / 1_000)
      .setExpirationTime(bench.clock.wall() / 1_000 + 60)
      .setAudience(AGENT_ID)
      .sign(parent.privateKey);
    expect(slug(await bench.view({ jws }))).toBe('ok');
  });

  it('K5: the same JWS again is a duplicate, after its exp and after a restart too', async () => {
    const bench = signedBench();
    const jws = await sign(bench);
    await bench.view({ jws });
    bench.clock.advance(3_600_000);
    bench.restart();
    const again = await bench.view({ jws });
    expect(again).toMatchObject({ ok: true, value: { duplicate: true, status: 'success' } });
    expect(bench.effects).toHaveLength(1);
  });

  it('K5: signed anew with the same id it is the same command', async () => {
    const bench = signedBench();
    await bench.view({ jws: await sign(bench) });
    bench.clock.advance(30_000);
    expect(await bench.view({ jws: await sign(bench) })).toMatchObject({
      ok: true,
      value: { duplicate: true },
    });
    expect(bench.effects).toHaveLength(1);
  });

  it('K5: any of the enrolled keys may sign, and a kid may be its name or its thumbprint', async () => {
    const bench = signedBench(stranger.publicKey, { ...parent.publicKey, kid: 'mum' });
    const thumbprint = await calculateJwkThumbprint({ ...parent.publicKey } as never);
    for (const header of [{}, { kid: 'mum' }, { kid: thumbprint }]) {
      expect(slug(await bench.view({ jws: await sign(bench, { header }) }))).toBe('ok');
    }
  });

  it('K3: what it asks for is checked like any other command', async () => {
    const bench = signedBench();
    const send = async (over: Record<string, unknown>) =>
      slug(await bench.view({ jws: await sign(bench, { over }) }));
    expect(await send({ parameters: { minutes: 0 } })).toBe('schema-mismatch');
    expect(await send({ command: 'shutdown' })).toBe('command-unknown');
    expect(await send({ child_profile: 'nobody' })).toBe('child-unknown');
    expect(await send({ expires_at: new Date(bench.clock.wall() - 1).toISOString() })).toBe(
      'command-expired',
    );
    expect(bench.effects).toEqual([]);
  });
});

describe('with parent keys', () => {
  it('K5: an unsigned command that changes anything is refused whichever token brings it', async () => {
    const bench = signedBench();
    for (const command of [
      'force_close',
      'extend_time',
      'pause',
      'resume',
      'send_notification',
      'set_time_limit',
    ]) {
      expect(slug(await bench.control({ command }))).toBe('signature-required');
      expect(slug(await bench.view({ command }))).toBe('signature-required');
    }
    expect(bench.effects).toEqual([]);
  });

  it('K5: a question needs no signature', async () => {
    expect(slug(await signedBench().view({ command: 'get_live_status' }))).toBe('ok');
  });
});

describe('a forgery', () => {
  const send = async (bench: CommandBench, jws: string) => slug(await bench.control({ jws }));

  it.each([{}, { kid: 'stranger' }])('K5: by another key (%j) is signature-wrong-key', async (header) => {
    const bench = signedBench();
    expect(await send(bench, await sign(bench, { by: stranger, header }))).toBe('signature-wrong-key');
  });

  it('K5: altered under a kid that is enrolled it is signature-invalid', async () => {
    const bench = signedBench({ ...parent.publicKey, kid: 'mum' });
    const jws = await sign(bench, { header: { kid: 'mum' } });
    const more = rewritten(jws, (claims) => {
      claims.parameters = { minutes: 720 };
    });
    expect(await send(bench, more)).toBe('signature-invalid');
  });

  it('K5: without a kid too it is signature-invalid once the original came', async () => {
    const bench = signedBench();
    const jws = await sign(bench);
    expect(await send(bench, jws)).toBe('ok');
    const more = rewritten(jws, (claims) => {
      claims.parameters = { minutes: 720 };
    });
    const [text = '', other = ''] = [jws, await sign(bench, { by: stranger })].map((whole) =>
      whole.slice(0, whole.lastIndexOf('.')),
    );
    const strange = (await sign(bench, { by: stranger })).slice(other.length);
    expect(await send(bench, more)).toBe('signature-invalid');
    expect(await send(bench, text + strange)).toBe('signature-invalid');
    expect(bench.effects).toHaveLength(1);
  });

  it('K5: every single flipped bit is refused, and nothing is done', async () => {
    const bench = signedBench();
    const jws = await sign(bench);
    const slugs = new Set<string>();
    for (let at = 0; at < jws.length; at++) {
      const flipped = String.fromCharCode(jws.charCodeAt(at) ^ (1 << (at % 7)));
      slugs.add(await send(bench, jws.slice(0, at) + flipped + jws.slice(at + 1)));
    }
    expect([...slugs].sort()).toEqual(['signature-invalid', 'signature-wrong-key']);
    expect([bench.effects, bench.events(), bench.commands.records.size]).toEqual([[], [], 0]);
  });

  it('K5: the unused bits of base64url are no second spelling', async () => {
    const bench = signedBench();
    const jws = await sign(bench);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(jws.at(-1) ?? '');
    expect(await send(bench, jws.slice(0, -1) + alphabet[last + 1])).toBe('signature-invalid');
    expect(await send(bench, `${jws}=`)).toBe('signature-invalid');
  });

  it.each([['none'], ['HS256'], ['ES256'], [undefined]])('K5: alg %s is signature-invalid', async (alg) => {
    const bench = signedBench();
    const [, payload, signature] = (await sign(bench)).split('.');
    const header = Buffer.from(JSON.stringify({ alg })).toString('base64url');
    expect(await send(bench, [header, payload, signature].join('.'))).toBe('signature-invalid');
  });

  it('K5: a key that the JWS brings along is not believed', async () => {
    const bench = signedBench();
    const header = { jwk: stranger.publicKey };
    expect(await send(bench, await sign(bench, { by: stranger, header }))).toBe('signature-wrong-key');
  });

  it.each(['', '.', '..', 'a.b', 'a.b.c', 'a.b.c.d', '\0'])('K5: %j is no JWS', async (jws) => {
    const answer = await signedBench().control({ jws });
    expect(['signature-invalid', 'schema-mismatch']).toContain(slug(answer));
  });

  it.each([['another agent'], [[AGENT_ID, 'x'].join()]])(
    'K5: for %s it is signature-wrong-audience',
    async (aud) => {
      const bench = signedBench();
      expect(await send(bench, await sign(bench, { over: { aud } }))).toBe('signature-wrong-audience');
    },
  );

  it.each([
    ['command_id', undefined],
    ['iat', undefined],
    ['exp', undefined],
    ['aud', undefined],
    ['exp', 'tomorrow'],
    ['aud', [AGENT_ID]],
  ])('K5: with %s %j it is signature-incomplete', async (claim, over) => {
    const bench = signedBench();
    const answer = await bench.control({ jws: await sign(bench, { over: { [claim]: over } }) });
    expect(slug(answer)).toBe('signature-incomplete');
    expect(!answer.ok && answer.problem.errors?.map((e) => e.path)).toEqual([claim]);
  });

  it('K5: past its exp it is signature-expired, told once, and never carried out', async () => {
    const bench = signedBench();
    const jws = await sign(bench, { over: { exp: bench.clock.wall() / 1_000 } });
    expect(await send(bench, jws)).toBe('signature-expired');
    expect(await send(bench, jws)).toBe('signature-expired');
    expect(bench.effects).toEqual([]);
    expect(bench.told()).toEqual(['command_expired c1']);
  });

  it('K5: after that it is signed again under a new command_id, as its problem says: the old one stays refused', async () => {
    const bench = signedBench();
    const late = { exp: bench.clock.wall() / 1_000 };
    const refused = await bench.view({ jws: await sign(bench, { over: late }) });
    expect(!refused.ok && refused.problem.detail).toContain('sign it again under a new command_id');
    expect(await send(bench, await sign(bench))).toBe('signature-expired');
    expect(await send(bench, await sign(bench, { over: { command_id: 'c2' } }))).toBe('ok');
  });

  it('K5: a clock that was set back does not revive it', async () => {
    const bench = signedBench();
    const jws = await sign(bench);
    const nowMs = bench.clock.wall();
    const rules = {
      keys: [parent.publicKey],
      agentId: AGENT_ID,
      nowMs,
      verifiedBefore: verifiedLately(),
    };
    const expired = async (highestTrustedMs: number) => {
      const verified = await verifySigned(jws, { ...rules, highestTrustedMs });
      return verified.ok && verified.value.expired?.slug;
    };
    expect(await expired(nowMs)).toBeUndefined();
    expect(await expired(nowMs + 61_000)).toBe('signature-expired');
  });

  it('K5: with no key enrolled nobody can sign', async () => {
    const bench = new CommandBench();
    expect(await send(bench, await sign(bench))).toBe('signature-wrong-key');
  });

  it('K5: every rejection is counted by its problem', async () => {
    const bench = signedBench();
    await bench.control({ command: 'resume' });
    await send(bench, 'a.b.c');
    await send(bench, await sign(bench, { by: stranger }));
    await send(bench, await sign(bench, { by: stranger }));
    await send(bench, await sign(bench, { over: { aud: 'x' } }));
    await send(bench, await sign(bench, { over: { exp: 1 } }));
    expect(bench.desk.rejected()).toEqual({
      'signature-required': 1,
      'signature-invalid': 1,
      'signature-wrong-key': 2,
      'signature-wrong-audience': 1,
      'signature-expired': 1,
    });
  });
});

describe('a flood of forgeries', () => {
  it('K5: no number of them locks a signed command out: it is verified in its turn', async () => {
    const bench = signedBench();
    const forged = await sign(bench, { by: stranger });
    const flood = Array.from({ length: 500 }, () => bench.view({ jws: forged }));
    const right = bench.view({ jws: await sign(bench) });
    expect(slug(await right)).toBe('ok');
    expect(new Set((await Promise.all(flood)).map(slug))).toEqual(new Set(['signature-wrong-key']));
    expect(bench.effects).toHaveLength(1);
  });

  it('S6: more than 1,024 that wait to be verified are refused with 429, and there is room again after them', async () => {
    const bench = signedBench();
    const jws = await sign(bench);
    // The first one loads what verifies.
    await bench.view({ jws: 'a.b.c' });
    const slugs = (await Promise.all(Array.from({ length: 1_100 }, () => bench.view({ jws: 'a.b.c' })))).map(
      slug,
    );
    expect(slugs.filter((s) => s === 'signature-invalid')).toHaveLength(1_024);
    expect(slugs.filter((s) => s === 'too-many-commands')).toHaveLength(76);
    expect(slug(await bench.view({ jws }))).toBe('ok');
  });
});
