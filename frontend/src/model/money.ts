/** Amounts are integers of the currency's minor unit, as in the event contract; nothing here computes with floats. */
import { locale, t } from '../i18n/words';
import { formats } from './formats';
import { minorDigits } from './minorUnit';

/** The server's bound (internal/order MaxAmount); a number keeps every integer up to 2^53. */
export const maxAmount = 1_000_000_000_000;

/** Formats an amount for the user's language, such as "IDR 125,000" for 125000 IDR. */
export function formatMoney(totalAmount: number, currency: string): string {
  const digits = minorDigits(currency);
  if (digits === undefined) return t('money.minorUnits', { currency, amount: totalAmount }); // the decimals are unknown
  return amounts(locale(), currency, String(digits)).format(decimal(totalAmount, digits));
}

const amounts = formats(
  (tag: string, currency: string, digits: string) =>
    new Intl.NumberFormat(tag, {
      style: 'currency',
      currency,
      minimumFractionDigits: Number(digits),
      maximumFractionDigits: Number(digits),
    }),
);

export type ParsedAmount =
  | { readonly kind: 'ok'; readonly totalAmount: number }
  | { readonly kind: 'problem'; readonly problem: string }
  /** One separator with three digits after it may separate thousands or decimals. The user chooses one of these amounts. */
  | { readonly kind: 'ask'; readonly amounts: readonly number[] };

/** Spaces of every kind, apostrophes and what this page puts between groups of three digits: never a decimal separator. */
const grouping = /[\s\u00a0\u2009\u202f'’]/g;

/**
 * Parses what a user typed, in major units. A point or a comma is the decimal separator unless it could also separate thousands,
 * with three digits after it. Then the result is ambiguous, and the user is asked.
 */
export function parseAmount(typed: string, currency: string): ParsedAmount {
  const digits = minorDigits(currency) ?? 0; // of an unknown currency, the minor unit itself
  const text = withoutSign(typed, currency).replace(grouping, '');
  const separators = text.replace(/\d/g, '');
  if (!/^\d[\d.,]*$/.test(text)) return wrong(digits);
  if (separators === '') return amountOf(text, '', digits, currency);
  const last = separators.at(-1) ?? '';
  const at = text.lastIndexOf(last);
  const [whole, fraction] = [text.slice(0, at), text.slice(at + 1)];
  if (separators.length === 1) {
    const isGroup = fraction.length === 3 && /^[1-9]\d{0,2}$/.test(whole);
    return isGroup ? ask(whole, fraction, digits, currency) : amountOf(whole, fraction, digits, currency);
  }
  const others = separators.slice(0, -1);
  if (new Set(separators).size === 1)
    return grouped(text, last) ? amountOf(text.replaceAll(last, ''), '', digits, currency) : wrong(digits);
  const group = others.charAt(0);
  if (others.includes(last) || !grouped(whole, group)) return wrong(digits);
  return amountOf(whole.replaceAll(group, ''), fraction, digits, currency);
}

/** Without the currency's code or symbol before or after the amount, such as "Rp" of IDR. */
function withoutSign(typed: string, currency: string): string {
  if (currency === '') return typed.trim(); // the business's is not loaded yet
  const signs = new Set([currency]);
  for (const currencyDisplay of ['symbol', 'narrowSymbol'] as const) {
    for (const tag of [locale(), 'en', 'id']) {
      const shape = new Intl.NumberFormat(tag, {
        style: 'currency',
        currency,
        currencyDisplay,
      }).formatToParts(1);
      signs.add(shape.find((part) => part.type === 'currency')?.value ?? currency);
    }
  }
  const text = typed.trim();
  for (const sign of signs) {
    if (text.toUpperCase().startsWith(sign.toUpperCase())) return text.slice(sign.length).trim();
    if (text.toUpperCase().endsWith(sign.toUpperCase())) return text.slice(0, -sign.length).trim();
  }
  return text;
}

function grouped(whole: string, separator: string): boolean {
  const [first = '', ...groups] = whole.split(separator);
  return /^[1-9]\d{0,2}$/.test(first) && groups.length > 0 && groups.every((group) => /^\d{3}$/.test(group));
}

/** Thousands first: what the separator most likely meant. */
function ask(whole: string, fraction: string, digits: number, currency: string): ParsedAmount {
  const thousands = amountOf(whole + fraction, '', digits, currency);
  // Decimals that the currency does not have may only be zeros.
  const decimals = amountOf(whole, fraction.replace(/0+$/, ''), digits, currency);
  if (thousands.kind !== 'ok') return thousands;
  return {
    kind: 'ask',
    amounts: [thousands.totalAmount, ...(decimals.kind === 'ok' ? [decimals.totalAmount] : [])],
  };
}

function amountOf(whole: string, fraction: string, digits: number, currency: string): ParsedAmount {
  if (fraction.length > digits) {
    const problem =
      digits === 0
        ? t('money.noDecimals', { currency, whole })
        : t('money.mostDecimals', { currency, digits });
    return { kind: 'problem', problem };
  }
  const totalAmount = Number(whole + fraction.padEnd(digits, '0'));
  if (totalAmount > maxAmount) {
    return { kind: 'problem', problem: t('money.most', { amount: formatMoney(maxAmount, currency) }) };
  }
  return { kind: 'ok', totalAmount };
}

function wrong(digits: number): ParsedAmount {
  return { kind: 'problem', problem: t('money.example', { example: example(digits) }) };
}

function example(digits: number): string {
  return digits === 0 ? '125000' : `12.${'5'.padEnd(digits, '0')}`;
}

/** Between groups of three digits in a field: no language takes it for a decimal separator. */
const groupSpace = '\u202f';

/** The typed text with its whole part in groups of three, if that has only digits. */
export function inGroups(typed: string): string {
  const match = /^(\d{4,})([.,]\d*)?$/.exec(typed);
  if (match === null) return typed;
  const [, whole = '', rest = ''] = match;
  return whole.replace(/\B(?=(\d{3})+$)/g, groupSpace) + rest;
}

/** The typed text after an edit of a field that shows groups: removes the spaces that the page has added. */
export function ungrouped(shown: string): string {
  return shown.replaceAll(groupSpace, '');
}

/** An amount as a user would type it, such as 12.50 for 1250 EUR. */
export function typedAmount(totalAmount: number, currency: string): string {
  return decimal(totalAmount, minorDigits(currency) ?? 0);
}

/** As a decimal string, which Intl formats exactly. */
function decimal(totalAmount: number, digits: number): Intl.StringNumericLiteral {
  const sign = totalAmount < 0 ? '-' : '';
  const text = String(Math.abs(totalAmount)).padStart(digits + 1, '0');
  const point = text.length - digits;
  const literal = digits === 0 ? text : `${text.slice(0, point)}.${text.slice(point)}`;
  return `${sign}${literal}` as Intl.StringNumericLiteral;
}
