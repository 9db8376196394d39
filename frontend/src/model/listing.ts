/** Which orders a list shows, and in which order: the rules of filters, search and sorting. */
import { formatMoney } from './money';
import { byNewest, isDone, type Order, type Status, statuses } from './order';

export const filters = ['active', 'done', 'all', ...statuses] as const;
export type Filter = (typeof filters)[number];

export const sorts = ['newest', 'oldest', 'changed', 'largest'] as const;
export type Sort = (typeof sorts)[number];

export interface Question {
  readonly filter: Filter;
  readonly sort: Sort;
  /** Whether an order is of the days that are shown. */
  readonly inPeriod: (order: Order) => boolean;
  /** Only orders made then or later; 0 for all. */
  readonly since: number;
  /** In lower case, without spaces at its ends. */
  readonly search: string;
  /** An order before a change that the user can still undo. It keeps its place in the list meanwhile. */
  readonly before: (order: Order) => Order | undefined;
}

export function passes(order: Order, filter: Filter): boolean {
  switch (filter) {
    case 'all':
      return true;
    case 'active':
      return !isDone(order.status);
    case 'done':
      return isDone(order.status);
    default:
      return order.status === filter;
  }
}

/** By reference, id, amount or state; `statusText` is the state in the page's language. */
export function matches(order: Order, search: string, statusText: (status: Status) => string): boolean {
  if (search === '') return true;
  if (order.reference.toLowerCase().includes(search) || order.orderId.includes(withoutSign(search)))
    return true;
  if (statusText(order.status).toLowerCase().startsWith(search)) return true;
  const digits = search.replace(/[^\d]/g, '');
  return digits !== '' && isAmount(search) && amountDigits(order).startsWith(digits);
}

/** Without the sign that orderName puts before the end of an id. */
function withoutSign(search: string): string {
  return search.startsWith('#') && search.length > 1 ? search.slice(1) : search;
}

/** Digits with separators, and perhaps a currency before or after them: 125.000, €12.50. A reference such as E-ET1NGES is not an amount. */
function isAmount(search: string): boolean {
  return /^(?:[^\d\s-]{1,4}\s?)?\d[\d.,\s]*$|^\d[\d.,\s]*[^\d\s-]{1,4}$/.test(search);
}

function amountDigits(order: Order): string {
  return formatMoney(order.totalAmount, order.currency).replace(/[^\d]/g, '');
}

/** The orders (newest first) that match, sorted. */
export function answer(
  orders: readonly Order[],
  { filter, sort, search, inPeriod, since, before }: Question,
  statusText: (status: Status) => string,
): readonly Order[] {
  const isAsked = (order: Order) =>
    passes(order, filter) &&
    inPeriod(order) &&
    order.createdAt >= since &&
    matches(order, search, statusText);
  const found = orders.filter((order) => {
    if (isAsked(order)) return true;
    const was = before(order);
    return was !== undefined && isAsked(was);
  });
  switch (sort) {
    case 'newest':
      return found;
    case 'oldest':
      return found.reverse();
    case 'changed':
      return found.sort((a, b) => b.updatedAt - a.updatedAt || byNewest(a, b));
    case 'largest':
      return found.sort((a, b) => b.totalAmount - a.totalAmount || byNewest(a, b));
  }
}
