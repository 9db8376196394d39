import { expect, it } from 'vitest';
import { relativeTime } from './time';

const minute = 60_000;

it.each([
  [0, 'just now'],
  [-5 * minute, 'just now'], // a clock that runs ahead
  [59_999, 'just now'],
  [5 * minute, '5 min. ago'],
  [61 * minute, '1 hr. ago'],
  [25 * 60 * minute, 'yesterday'],
  [72 * 60 * minute, '3 days ago'],
])('an age of %d ms is %s', (age, want) => {
  expect(relativeTime(1_000_000_000_000, 1_000_000_000_000 + age)).toBe(want);
});
