/** The order API's client. */
import type { Order, Status } from '../model/order';
import { parseOrder, parseSnapshotPage, type SnapshotPage } from '../model/wire';
import { type Ask, sending } from './authorized';
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
  pay(orderId: string): Promise<Order>;
  changeStatus(orderId: string, status: Status): Promise<Order>;
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
      return post('/api/orders', body, { 'Idempotency-Key': idempotencyKey });
    },
    pay: (orderId) => post(`${orderPath(orderId)}/pay`, undefined),
    changeStatus: (orderId, status) => post(`${orderPath(orderId)}/status`, { status }),
    async get(orderId) {
      return parseOrder(await readJSON(await ask(orderPath(orderId))));
    },
    async snapshot({ address, cursor, signal }) {
      const query = new URLSearchParams({ limit: String(pageSize), ...(cursor === '' ? {} : { cursor }) });
      const url = `${address}${address.includes('?') ? '&' : '?'}${query.toString()}`;
      return parseSnapshotPage(await readJSON(await ask(url, { signal })));
    },
  };

  async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Order> {
    return parseOrder(await readJSON(await ask(path, sending('POST', body, headers))));
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
