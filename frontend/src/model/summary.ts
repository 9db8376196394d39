/** A day of the business, and the day before. */
import { type Status, statuses } from './order';
import { currency, fields, integer, list, text, time } from './wire';

export interface Takings {
  readonly currency: string;
  readonly payments: number;
  /** In the currency's minor unit. */
  readonly paid: number;
  readonly refunds: number;
  readonly refunded: number;
}

export const stages = ['created', 'paid', 'ready', 'completed'] as const;
export type Stage = (typeof stages)[number];

export interface Day {
  /** An ISO date of the business's clock. */
  readonly date: string;
  readonly takings: readonly Takings[];
  readonly counts: Readonly<Record<Status, number>>;
  readonly funnel: Readonly<Record<Stage, number>>;
  /** Payments by hour, from 0 to 23. */
  readonly hours: readonly number[];
}

export interface Recent {
  /** When the first minute began, in milliseconds since 1970. */
  readonly since: number;
  /** Payments in each minute. */
  readonly payments: readonly number[];
}

export interface Summary {
  readonly day: Day;
  readonly before: Day;
  /** Of today alone. */
  readonly recent: Recent | undefined;
}

export function parseSummary(value: unknown): Summary {
  const of = fields(value, 'summary');
  return {
    day: parseDay(of['day'], 'summary.day'),
    before: parseDay(of['before'], 'summary.before'),
    recent: of['recent'] === null ? undefined : parseRecent(of['recent'], 'summary.recent'),
  };
}

function parseDay(value: unknown, where: string): Day {
  const of = fields(value, where);
  const [counts, funnel] = [fields(of['counts'], `${where}.counts`), fields(of['funnel'], `${where}.funnel`)];
  return {
    date: text(of, 'date', where),
    takings: list(of['takings'], `${where}.takings`, parseTakings),
    counts: numbers(statuses, counts, `${where}.counts`),
    funnel: numbers(stages, funnel, `${where}.funnel`),
    hours: list(of['hours'], `${where}.hours`, (hour, at) => integer(fields(hour, at), 'payments', at, 0)),
  };
}

function numbers<T extends string>(
  names: readonly T[],
  of: Readonly<Record<string, unknown>>,
  where: string,
): Readonly<Record<T, number>> {
  const all = names.map((name) => [name, of[name] === undefined ? 0 : integer(of, name, where, 0)] as const);
  return Object.fromEntries(all) as Record<T, number>;
}

function parseTakings(value: unknown, where: string): Takings {
  const of = fields(value, where);
  return {
    currency: currency(of, where),
    payments: integer(of, 'payments', where, 0),
    paid: integer(of, 'paid', where, 0),
    refunds: integer(of, 'refunds', where, 0),
    refunded: integer(of, 'refunded', where, 0),
  };
}

function parseRecent(value: unknown, where: string): Recent {
  const of = fields(value, where);
  return {
    since: time(of, 'since', where),
    payments: list(of['payments'], `${where}.payments`, (n, at) => integer({ n }, 'n', at, 0)),
  };
}
