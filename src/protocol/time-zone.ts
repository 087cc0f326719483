/** Which names are time zones: those that every part which calculates with them takes. */
import { Temporal } from 'temporal-polyfill';

/** Asks both: Intl alone takes abbreviations that only ICU knows (`PST`, `IST`), and no calendar is made of those. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return true;
  } catch {
    return false;
  }
}

/** The zone of this process. Its name may be none (`Etc/Unknown`, `PST`): the system itself reckons in UTC then. */
export function zoneOfNode(): string {
  const name = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return isTimeZone(name) ? name : 'UTC';
}
