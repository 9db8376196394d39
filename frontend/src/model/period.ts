/** Which days a list shows. The page begins with the open orders of any age and those of today; others come page by page. */
import { isDone, type Order } from './order';
import { addDays, dayOf, startOfDay } from './zone';

export type Period =
  | { readonly kind: 'current' }
  | { readonly kind: 'any' }
  /** ISO dates of the business's clock, both included. */
  | { readonly kind: 'days'; readonly from: string; readonly to: string };

/** From an address's query: `days=any`, or `from` and `to`. What cannot be read is the current period. */
export function periodOf(query: URLSearchParams): Period {
  if (query.get('days') === 'any') return { kind: 'any' };
  const from = query.get('from') ?? '';
  const to = query.get('to') ?? from;
  const isDate = (day: string) => !Number.isNaN(startOfDay(day, 'UTC'));
  return isDate(from) && isDate(to) && from <= to ? { kind: 'days', from, to } : { kind: 'current' };
}

/** The change of an address's query that asks for the period. */
export function queryFor(period: Period): Readonly<Record<'days' | 'from' | 'to', string>> {
  return {
    days: period.kind === 'any' ? 'any' : '',
    from: period.kind === 'days' ? period.from : '',
    to: period.kind === 'days' ? period.to : '',
  };
}

export const periodChoices = ['current', 'yesterday', 'week', 'any', 'days'] as const;
export type PeriodChoice = (typeof periodChoices)[number];

export function periodFor(choice: PeriodChoice, today: string): Period {
  switch (choice) {
    case 'current':
    case 'any':
      return { kind: choice };
    case 'yesterday':
      return { kind: 'days', from: addDays(today, -1), to: addDays(today, -1) };
    case 'week':
      return { kind: 'days', from: addDays(today, -6), to: today };
    case 'days':
      return { kind: 'days', from: today, to: today };
  }
}

export function choiceOf(period: Period, today: string): PeriodChoice {
  if (period.kind !== 'days') return period.kind;
  const same = (['yesterday', 'week'] as const).find((choice) => {
    const other = periodFor(choice, today);
    return other.kind === 'days' && other.from === period.from && other.to === period.to;
  });
  return same ?? 'days';
}

/** Says of each order whether it is of the period. */
export function inPeriod(period: Period, zone: string, now: number): (order: Order) => boolean {
  switch (period.kind) {
    case 'any':
      return () => true;
    case 'current': {
      const today = startOfDay(dayOf(now, zone), zone);
      return (order) => !isDone(order.status) || order.createdAt >= today;
    }
    case 'days': {
      const [from, to] = [startOfDay(period.from, zone), startOfDay(addDays(period.to, 1), zone)];
      return (order) => order.createdAt >= from && order.createdAt < to;
    }
  }
}
