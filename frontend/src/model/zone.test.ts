import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { addDays, dayOf, startOfDay } from './zone';

describe('a day', () => {
  it.each([
    ['2026-11-24', 'Asia/Jakarta', '2026-11-23T17:00:00Z'],
    ['2026-11-24', 'UTC', '2026-11-24T00:00:00Z'],
    ['2026-11-24', 'America/New_York', '2026-11-24T05:00:00Z'],
    ['2026-03-29', 'Europe/Berlin', '2026-03-28T23:00:00Z'], // the clock goes ahead that night
    ['2026-03-30', 'Europe/Berlin', '2026-03-29T22:00:00Z'],
    ['2026-09-06', 'America/Santiago', '2026-09-06T04:00:00Z'], // at 01:00: the clock goes ahead at midnight
    ['2026-03-08', 'America/Havana', '2026-03-08T05:00:00Z'],
    ['2026-03-29', 'Atlantic/Azores', '2026-03-29T01:00:00Z'],
    ['2026-04-24', 'Africa/Cairo', '2026-04-23T22:00:00Z'],
    ['2026-11-01', 'America/Havana', '2026-11-01T04:00:00Z'], // the first of two midnights
    ['2021-10-29', 'Asia/Amman', '2021-10-28T21:00:00Z'],
    ['2026-10-25', 'Asia/Beirut', '2026-10-24T22:00:00Z'],
    ['2028-02-29', 'America/New_York', '2028-02-29T05:00:00Z'],
    ['2026-11-24', 'No/Such_Zone', '2026-11-24T00:00:00Z'],
  ])('%s in %s begins at %s', (day, zone, want) => {
    expect(new Date(startOfDay(day, zone)).toISOString()).toBe(new Date(want).toISOString());
    expect(dayOf(startOfDay(day, zone), zone)).toBe(day);
    expect(dayOf(startOfDay(day, zone) - 1, zone)).toBe(addDays(day, -1));
  });

  it('that was left out is empty', () => {
    const begin = startOfDay('2011-12-30', 'Pacific/Apia');
    expect(new Date(begin).toISOString()).toBe('2011-12-30T10:00:00.000Z');
    expect(startOfDay('2011-12-31', 'Pacific/Apia')).toBe(begin);
  });

  it('that is no date begins never', () => {
    expect(startOfDay('yesterday', 'UTC')).toBeNaN();
    expect(startOfDay('2026-13-01', 'UTC')).toBeNaN();
  });
});

describe('the list of time zones that API and database have', () => {
  const file = new URL('../../../internal/user/zones.txt', import.meta.url);
  const listed = new Set(
    readFileSync(file, 'utf8')
      .split(/\s+/)
      .filter((zone) => zone !== ''),
  );

  it('has every zone that the page offers', () => {
    expect(Intl.supportedValuesOf('timeZone').filter((zone) => !listed.has(zone))).toEqual([]);
  });

  it('has no zone whose day the page would begin by UTC', () => {
    const unknown = [...listed].filter((zone) => {
      try {
        return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone === '';
      } catch {
        return true;
      }
    });
    expect(listed.size).toBeGreaterThan(400);
    expect(unknown).toEqual([]);
  });
});
