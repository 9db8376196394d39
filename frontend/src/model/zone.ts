/** Days of a time zone of the IANA database: a business's day begins by its own clock, not by this device's. */
import { formats } from './formats';

/** The names of the time zones that this browser knows; empty if it cannot list them (before 2022). */
export function knownZones(): readonly string[] {
  return 'supportedValuesOf' in Intl ? Intl.supportedValuesOf('timeZone') : [];
}

/** Whether this browser knows the zone. The page uses UTC instead of an unknown zone. */
export function isKnownZone(zone: string): boolean {
  return formatIn(zone, {}) !== undefined;
}

function formatIn(timeZone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat('en-US', { ...options, timeZone });
  } catch {
    return undefined;
  }
}

/** This device's zone; "" if the browser cannot name it, and then shows times in UTC. */
export function deviceZone(): string {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return zone !== undefined && isKnownZone(zone) ? zone : '';
}

/** The day of a moment as an ISO date, such as 2026-11-24. */
export function dayOf(at: number, zone: string): string {
  return new Date(Math.floor(at / 1000) * 1000 + offsetAt(at, zone)).toISOString().slice(0, 10);
}

/** When a day begins, in milliseconds since 1970; NaN if the text is not an ISO date. */
export function startOfDay(day: string, zone: string): number {
  const utc = Date.parse(`${day}T00:00:00Z`);
  if (!/^\d{4}-\d\d-\d\d$/.test(day) || Number.isNaN(utc)) return Number.NaN;
  const reach = 26 * 3_600_000; // more than any clock is ahead of or after UTC
  const begins = (at: number) => dayOf(at, zone) === day && dayOf(at - 1, zone) < day;
  for (const near of [utc - reach, utc + reach]) {
    const midnight = utc - offsetAt(near, zone); // by the clock before a change of that day, and after it
    if (begins(midnight)) return midnight;
  }
  let [before, after] = [utc - reach, utc + reach]; // there is no midnight: the clock was put ahead then
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (dayOf(middle, zone) < day) before = middle;
    else after = middle;
  }
  return after;
}

/** The date some days later, or earlier. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

/** How far the zone's clock is ahead of UTC, in milliseconds. */
function offsetAt(at: number, zone: string): number {
  const seconds = Math.floor(at / 1000) * 1000;
  const parts = new Map(
    numbers(zone)
      .formatToParts(seconds)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const local = Date.UTC(
    parts.get('year') ?? 0,
    (parts.get('month') ?? 1) - 1,
    parts.get('day') ?? 1,
    parts.get('hour') ?? 0,
    parts.get('minute') ?? 0,
    parts.get('second') ?? 0,
  );
  return local - seconds;
}

/** UTC for a zone that this browser does not know. */
const numbers = formats(
  (zone: string) =>
    formatIn(zone, digits) ?? new Intl.DateTimeFormat('en-US', { ...digits, timeZone: 'UTC' }),
);

const digits: Intl.DateTimeFormatOptions = {
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
};
