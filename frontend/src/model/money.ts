/** Amounts are integers of the currency's minor unit, as in the event contract; nothing here computes with floats. */
import { minorDigits } from './minorUnit';

/** The server's bound (internal/order MaxAmount); a number keeps every integer up to 2^53. */
export const maxAmount = 1_000_000_000_000;

/** Shows an amount in the person's own format, such as "IDR 125,000" for 125000 IDR. */
export function formatMoney(totalAmount: number, currency: string): string {
  const digits = minorDigits(currency);
  if (digits === undefined) return `${currency} ${totalAmount.toLocaleString()} minor units`; // nothing is guessed
  const format = new Intl.NumberFormat(undefined, {
    style: 'currency',
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return format.format(decimal(totalAmount, digits));
}

export type ParsedAmount =
  | { readonly ok: true; readonly totalAmount: number }
  | { readonly ok: false; readonly problem: string };

/**
 * Reads what a person typed, in major units with a point or a comma before the decimals. It never guesses what a
 * separator meant: too many decimals are a problem, not thousands.
 */
export function parseAmount(text: string, currency: string): ParsedAmount {
  const digits = minorDigits(currency) ?? 0; // of what nobody knows, the minor unit itself
  const match = /^(\d+)(?:[.,](\d*))?$/.exec(text.trim());
  if (match === null) return { ok: false, problem: `Enter an amount such as ${example(digits)}.` };
  const [, whole = '', fraction = ''] = match;
  if (fraction.length > digits) {
    return {
      ok: false,
      problem:
        digits === 0 ? `${currency} has no decimals.` : `${currency} has at most ${String(digits)} decimals.`,
    };
  }
  const totalAmount = Number(whole + fraction.padEnd(digits, '0'));
  if (totalAmount > maxAmount) {
    return { ok: false, problem: `The most an order can be is ${formatMoney(maxAmount, currency)}.` };
  }
  return { ok: true, totalAmount };
}

function example(digits: number): string {
  return digits === 0 ? '1250' : `12.${'5'.padEnd(digits, '0')}`;
}

/** As a decimal string, which Intl formats exactly. */
function decimal(totalAmount: number, digits: number): Intl.StringNumericLiteral {
  const sign = totalAmount < 0 ? '-' : '';
  const text = String(Math.abs(totalAmount)).padStart(digits + 1, '0');
  const point = text.length - digits;
  const literal = digits === 0 ? text : `${text.slice(0, point)}.${text.slice(point)}`;
  return `${sign}${literal}` as Intl.StringNumericLiteral;
}
