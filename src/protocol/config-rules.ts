/**
 * Rules of the configuration that span several keys: doubled names, unknown zones, windows that overlap.
 * They look at the raw document and pass over what the schema refuses by itself, so that both kinds of mistake
 * are told in one answer. Pure.
 */
import type { FieldError } from './problems.ts';
import { isTimeZone } from './time-zone.ts';

/** Every cross-key rule that does not hold in a raw configuration document, each with its path. */
export function crossChecks(document: unknown, knownGames: readonly string[]): FieldError[] {
  const doc = Object.fromEntries(entries(document));
  const games = Array.isArray(doc.games)
    ? strings(doc.games.map((g) => Object.fromEntries(entries(g)).id))
    : null;
  const gameIds = new Set(games?.map(([, id]) => id) ?? knownGames);
  const profiles = entries(doc.profiles).map(([name, p]) => [name, Object.fromEntries(entries(p))] as const);
  return [
    ...doubled(games ?? []).map(([i, id]) => at(`games.${i}.id`, `"${id}" stands for another game already`)),
    ...(games ?? []).filter(([, id]) => isReserved(id)).map(([i, id]) => reserved(`games.${i}.id`, id)),
    ...['profiles', 'time_limits'].flatMap((key) =>
      entries(doc[key])
        .filter(([name]) => isReserved(name))
        .map(([name]) => reserved(`${key}.${name}`, name)),
    ),
    ...accounts([
      ...profiles.map(([name, p]) => accountsOf(name, p)),
      ...madeByLimits(profiles, entries(doc.time_limits)),
    ]),
    ...zone(Object.fromEntries(entries(doc.day)).time_zone),
    ...profiles.flatMap(([name, p]) => profileChecks(`profiles.${name}`, p, gameIds)),
  ];
}

type Raw = { readonly [key: string]: unknown };

/** Names that every object of JavaScript has already (`constructor`): as keys they would find something. */
const isReserved = (name: string) => name in {};
const reserved = (path: string, name: string) => at(path, `"${name}" cannot be a name; choose another`);

/** A child's accounts, each with its path in the document. */
interface Accounts {
  readonly child: string;
  readonly users: readonly (readonly [path: string, user: string])[];
}

function accountsOf(child: string, profile: Raw): Accounts {
  const users = strings(profile.os_users ?? ['*']);
  return { child, users: users.map(([i, user]) => [`profiles.${child}.os_users.${i}`, user]) };
}

/** A child that only `time_limits` names, beside others, is the account of its name (contract C11). */
function madeByLimits(
  profiles: readonly (readonly [string, Raw])[],
  limits: [string, unknown][],
): Accounts[] {
  const made = limits.map(([name]) => name).filter((name) => !profiles.some(([child]) => child === name));
  if (profiles.length + made.length < 2) return [];
  return made.map((child) => ({ child, users: [[`time_limits.${child}`, child]] }));
}

/** Every account belongs to one child at most, and one child at most takes all the others ("*"). */
function accounts(children: readonly Accounts[]): FieldError[] {
  const owner = new Map<string, string>();
  return children.flatMap(({ child: name, users }) =>
    users.flatMap(([path, user]) => {
      const key = user.toLowerCase();
      const other = owner.get(key) ?? name;
      owner.set(key, other);
      if (other === name) return [];
      const what =
        user === '*' ? 'takes every other account ("*") already' : `has the account "${user}" already`;
      return [at(path, `profile "${other}" ${what}`)];
    }),
  );
}

function zone(name: unknown): FieldError[] {
  if (typeof name !== 'string' || name === 'system' || isTimeZone(name)) return [];
  return [at('day.time_zone', `"${name}" is not a known time zone; write one like Europe/Berlin`)];
}

function profileChecks(path: string, profile: Raw, games: ReadonlySet<string>): FieldError[] {
  return [
    ...doubled(indexed(profile.warn_minutes)).map(([i, minutes]) =>
      at(`${path}.warn_minutes.${i}`, `${minutes} stands there twice`),
    ),
    ...entries(profile.games)
      .filter(([id]) => !games.has(id))
      .map(([id]) => at(`${path}.games.${id}`, 'no game has this id')),
    ...entries(profile.allowed).flatMap(([day, list]) => windows(`${path}.allowed.${day}`, strings(list))),
  ];
}

function windows(path: string, list: readonly (readonly [number, string])[]): FieldError[] {
  const spans: [from: number, to: number][] = [];
  return list.flatMap(([i, text]) => {
    const span = windowSpan(text);
    if (Number.isNaN(span[0]) || Number.isNaN(span[1])) return [];
    if (span[0] === span[1]) return [at(`${path}.${i}`, `"${text}" has no length`)];
    const clash = spans.some(([from, to]) => span[0] < to && from < span[1]);
    spans.push(span);
    return clash ? [at(`${path}.${i}`, `"${text}" overlaps another window of this day`)] : [];
  });
}

/** `"22:00-06:00"` as minutes from the day's 00:00; the end is past 1,440 when the window crosses midnight. */
export function windowSpan(text: string): [from: number, to: number] {
  const [from = Number.NaN, to = Number.NaN] = text.split('-').map((part) => {
    const [hours = Number.NaN, minutes = Number.NaN] = part.split(':').map(Number);
    return hours > 24 || minutes > 59 ? Number.NaN : hours * 60 + minutes;
  });
  return [from, to < from ? to + 1_440 : to];
}

const at = (path: string, message: string): FieldError => ({ path, message });

function entries(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}

function indexed(value: unknown): [number, unknown][] {
  return Array.isArray(value) ? [...value.entries()] : [];
}

function strings(value: unknown): [number, string][] {
  return indexed(value).filter((pair): pair is [number, string] => typeof pair[1] === 'string');
}

/** The elements that repeat an earlier one. */
function doubled<T>(list: readonly (readonly [number, T])[]): (readonly [number, T])[] {
  const seen = new Set<T>();
  return list.filter(([, value]) => seen.has(value) || !seen.add(value));
}
