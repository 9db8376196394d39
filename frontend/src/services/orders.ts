/** The order API's client. */
import { type History, parseHistory } from '../model/history';
import type { Order, Status } from '../model/order';
import { parseSummary, type Summary } from '../model/summary';
import { type Counts, parseCounts, parseOrder, parseSnapshotPage, type SnapshotPage } from '../model/wire';
import { api } from '../paths';
import { type Ask, retrying, sending } from './authorized';
import { readJSON } from './problem';

export interface NewOrder {
  /** May be empty. */
  readonly reference: string;
  readonly totalAmount: number;
  readonly currency: string;
}

export interface OrdersClient {
  /** Creates an order. A retry with the same key returns the first answer, so it cannot create a second one. */
  create(order: NewOrder, idempotencyKey: string): Promise<Order>;
  pay(orderId: string, idempotencyKey: string): Promise<Order>;
  changeStatus(orderId: string, status: Status, idempotencyKey: string): Promise<Order>;
  /** Takes back the order's latest change; 409 if there is a later one, or if it is too late. */
  undo(order: Order, idempotencyKey: string): Promise<Order>;
  get(orderId: string): Promise<Order>;
  snapshot(page: SnapshotRequest): Promise<SnapshotPage>;
  /** A page of the orders of some states and days, from the newest on. */
  list(query: OrdersQuery & { readonly cursor: string; readonly signal: AbortSignal }): Promise<SnapshotPage>;
  /** Orders of any age by their reference, or by their id or its beginning. */
  find(text: string, signal: AbortSignal): Promise<readonly Order[]>;
  counts(query: Omit<OrdersQuery, 'state'> & { readonly signal: AbortSignal }): Promise<Counts>;
  history(orderId: string): Promise<History>;
  /** A day of the business, by an ISO date, "" for today, and the day before. */
  summary(date: string): Promise<Summary>;
}

export type { Counts };

export interface OrdersQuery {
  /** As the API names it: open, done, or states with commas; "" for all. */
  readonly state: string;
  /** ISO dates of the business's clock, or "". */
  readonly from: string;
  readonly to: string;
}

export interface SnapshotRequest {
  readonly address: string;
  readonly cursor: string;
  readonly signal: AbortSignal;
}

/** The first orders of the page: the open ones of any age, and those of today. */
export const snapshotAddress = `${api.snapshot}?state=current`;

/** The largest page the API gives: fewer round trips before the list is whole. */
const pageSize = 500;
/** A page of older orders is loaded while the user scrolls. */
const archivePageSize = 100;
const mostFound = 50;

export function ordersClient(ask: Ask): OrdersClient {
  return {
    create(order, idempotencyKey) {
      const { reference, totalAmount, currency } = order;
      const body = { ...(reference === '' ? {} : { reference }), total_amount: totalAmount, currency };
      return post(api.orders, body, idempotencyKey);
    },
    pay: (orderId, key) => post(api.pay(orderId), undefined, key),
    changeStatus: (orderId, status, key) => post(api.status(orderId), { status }, key),
    undo: ({ orderId, version }, key) => post(api.undo(orderId), { version }, key),
    async get(orderId) {
      return parseOrder(await readJSON(await ask(api.order(orderId))));
    },
    async snapshot({ address, cursor, signal }) {
      const query = new URLSearchParams({ limit: String(pageSize), ...(cursor === '' ? {} : { cursor }) });
      const url = `${address}${address.includes('?') ? '&' : '?'}${query.toString()}`;
      return parseSnapshotPage(await readJSON(await ask(url, { signal })));
    },
    async list({ state, from, to, cursor, signal }) {
      const query = given({ state, from, to, limit: String(archivePageSize), cursor });
      return parseSnapshotPage(await readJSON(await ask(`${api.snapshot}?${query}`, { signal })));
    },
    async find(q, signal) {
      const query = given({ q, limit: String(mostFound) });
      return parseSnapshotPage(await readJSON(await ask(`${api.snapshot}?${query}`, { signal }))).orders;
    },
    history: async (orderId) => parseHistory(await readJSON(await ask(api.history(orderId)))),
    summary: async (date) => parseSummary(await readJSON(await ask(`${api.summary}?${given({ date })}`))),
    async counts({ from, to, signal }) {
      return parseCounts(await readJSON(await ask(`${api.counts}?${given({ from, to })}`, { signal })));
    },
  };

  async function post(path: string, body: unknown, idempotencyKey: string): Promise<Order> {
    const request = sending('POST', body, { 'Idempotency-Key': idempotencyKey });
    return parseOrder(await readJSON(await retrying(ask)(path, request)));
  }
}

/** A query of those names that have a value. */
function given(query: Readonly<Record<string, string>>): string {
  return new URLSearchParams(Object.entries(query).filter(([, value]) => value !== '')).toString();
}

/** A new key for a request that may be retried. Works on plain http too, where crypto.randomUUID does not. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}
