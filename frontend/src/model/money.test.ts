import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { knownCurrencies, minorDigits } from './minorUnit';
import { formatMoney, maxAmount, parseAmount } from './money';

/** "IDR 125,000" with whatever blank Intl puts between. */
function shown(totalAmount: number, currency: string): string {
  return formatMoney(totalAmount, currency).replaceAll(/\s/g, ' ');
}

it('has the decimals of the contract, code by code', () => {
  const file = new URL('../../../specs/004-order-notifications/contracts/minor-units.json', import.meta.url);
  const contract = JSON.parse(readFileSync(file, 'utf8')) as { digits: Record<string, string[]> };
  const want = Object.entries(contract.digits).flatMap(([digits, lines]) =>
    lines.flatMap((line) => line.split(' ').map((code) => [code, Number(digits)])),
  );
  expect(want.length).toBeGreaterThan(150);
  expect(knownCurrencies.map((code) => [code, minorDigits(code)])).toEqual(want.sort());
});

describe('formatMoney', () => {
  it.each([
    [125_000, 'IDR', 'IDR 125,000'],
    [125_050, 'HUF', 'HUF 1,250.50'], // Intl alone would say 125,050
    [125_050, 'COP', 'COP 1,250.50'], // as would CLDR, which is what is customary in print
    [5, 'USD', '$0.05'],
    [0, 'EUR', '€0.00'],
    [1250, 'JPY', '¥1,250'],
    [1250, 'KWD', 'KWD 1.250'],
    [maxAmount, 'USD', '$10,000,000,000.00'],
    [1250, 'QQQ', 'QQQ 1,250 minor units'],
  ])('%d of %s is %s', (amount, currency, want) => {
    expect(shown(amount, currency)).toBe(want);
  });
});

describe('parseAmount', () => {
  it('reads an amount before the currency is known', () => {
    expect(parseAmount('125', '')).toEqual({ kind: 'ok', totalAmount: 125 });
    expect(parseAmount('', '')).toMatchObject({ kind: 'problem' });
  });

  it.each([
    ['12.5', 'EUR', 1250],
    ['12,50', 'EUR', 1250],
    [' 12. ', 'EUR', 1200],
    ['0', 'EUR', 0],
    ['1250', 'JPY', 1250],
    ['1.25', 'KWD', 1250],
    ['1,250.00', 'EUR', 125_000],
    ['1.250,00', 'EUR', 125_000],
    ['1.250.000', 'IDR', 1_250_000],
    ['Rp 125000', 'IDR', 125_000],
    ['125 000', 'IDR', 125_000],
    ['€12.50', 'EUR', 1250],
    ['0.29', 'USD', 29], // 28.999… as a float
  ])('%j of %s is %d', (text, currency, totalAmount) => {
    expect(parseAmount(text, currency)).toEqual({ kind: 'ok', totalAmount });
  });

  it.each([
    ['', 'EUR', 'Enter an amount such as 12.50.'],
    ['', 'JPY', 'Enter an amount such as 125000.'],
    ['-1', 'EUR', 'Enter an amount such as 12.50.'],
    ['1e3', 'EUR', 'Enter an amount such as 12.50.'],
    ['12.345.6', 'EUR', 'Enter an amount such as 12.50.'],
    ['1,25.0', 'EUR', 'Enter an amount such as 12.50.'],
    ['0.125', 'EUR', 'EUR has at most 2 decimals.'],
    ['1.5', 'JPY', 'JPY has no decimals. Type 1 for this amount without them.'],
    ['10000000000.01', 'USD', 'The most an order can be is $10,000,000,000.00.'],
  ])('%j of %s is refused: %s', (text, currency, problem) => {
    expect(parseAmount(text, currency)).toEqual({ kind: 'problem', problem });
  });

  it.each([
    ['125.000', 'IDR', [125_000, 125]],
    ['1,250', 'KWD', [1_250_000, 1250]],
    ['1.250', 'EUR', [125_000, 125]],
    ['1.255', 'EUR', [125_500]],
  ])('%j of %s is asked for: %j', (text, currency, amounts) => {
    expect(parseAmount(text, currency)).toEqual({ kind: 'ask', amounts });
  });

  it('reads back every amount exactly', () => {
    const currency = fc.constantFrom('IDR', 'JPY', 'KWD', 'USD');
    fc.assert(
      fc.property(fc.integer({ min: 0, max: maxAmount }), currency, (totalAmount, code) => {
        const digits = minorDigits(code) ?? 0;
        const text = String(totalAmount).padStart(digits + 1, '0');
        const typed =
          digits === 0 ? text : `${text.slice(0, text.length - digits)}.${text.slice(text.length - digits)}`;
        // Three decimals could be thousands: that the amount is offered is enough.
        const read = parseAmount(typed, code);
        if (read.kind === 'ask') expect(read.amounts).toContain(totalAmount);
        else expect(read).toEqual({ kind: 'ok', totalAmount });
      }),
    );
  });
});
