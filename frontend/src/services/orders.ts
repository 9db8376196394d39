/** The order API's client. */
import type { Order, Status } from '../model/order';
import { parseOrder, parseSnapshotPage, type SnapshotPage } from '../model/wire';
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
}

export interface SnapshotRequest {
  readonly address: string;
  readonly cursor: string;
  readonly signal: AbortSignal;
}

export const snapshotAddress = '/api/orders/snapshot';

/** The largest page the API gives: fewer round trips before the list is whole. */
const pageSize = 500;

export function ordersClient(ask: Ask): OrdersClient {
  return {
    create(order, idempotencyKey) {
      const { reference, totalAmount, currency } = order;
      const body = { ...(reference === '' ? {} : { reference }), total_amount: totalAmount, currency };
      return post('/api/orders', body, idempotencyKey);
    },
    pay: (orderId, key) => post(`${orderPath(orderId)}/pay`, undefined, key),
    changeStatus: (orderId, status, key) => post(`${orderPath(orderId)}/status`, { status }, key),
    undo: ({ orderId, version }, key) => post(`${orderPath(orderId)}/undo`, { version }, key),
    async get(orderId) {
      return parseOrder(await readJSON(await ask(orderPath(orderId))));
    },
    async snapshot({ address, cursor, signal }) {
      const query = new URLSearchParams({ limit: String(pageSize), ...(cursor === '' ? {} : { cursor }) });
      const url = `${address}${address.includes('?') ? '&' : '?'}${query.toString()}`;
      return parseSnapshotPage(await readJSON(await ask(url, { signal })));
    },
  };

  async function post(path: string, body: unknown, idempotencyKey: string): Promise<Order> {
    const request = sending('POST', body, { 'Idempotency-Key': idempotencyKey });
    return parseOrder(await readJSON(await retrying(ask)(path, request)));
  }
}

function orderPath(orderId: string): string {
  return `/api/orders/${encodeURIComponent(orderId)}`;
}

/** A new key for a request that may be retried. Works on plain http too, where crypto.randomUUID does not. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}
