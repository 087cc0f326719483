/** Whose game it is: from an account of the machine to the child whose profile names it (contract C7). Pure. */
import type { Config } from './config.ts';

/**
 * The profile that an account belongs to; null when none names it. Windows accounts match with and without their
 * domain. An account that could not be resolved belongs to the profile that takes every other account ("*"): a
 * limit must not be escaped by hiding who plays.
 */
export function profileOf(profiles: Config['profiles'], user: string | null): string | null {
  const wanted = user === null ? [] : [user.toLowerCase(), user.toLowerCase().replace(/^.*\\/, '')];
  let everyone: string | null = null;
  for (const [child, profile] of Object.entries(profiles)) {
    for (const named of profile.os_users) {
      if (named === '*') everyone = child;
      else if (wanted.includes(named.toLowerCase())) return child;
    }
  }
  return everyone;
}
