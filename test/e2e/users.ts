/** Users who call the APIs without a browser, as the other tills of a business. */
import { runningStack } from './stack';

export interface Order {
  readonly order_id: string;
  readonly reference: string;
  readonly status: string;
  readonly version: number;
}

interface DemoUser {
  readonly email: string;
  readonly token: string;
}

export class ApiUser {
  readonly #token: string;
  readonly #origin: string;

  private constructor(token: string, origin: string) {
    this.#token = token;
    this.#origin = origin;
  }

  static async named(email: string, origin = runningStack().origin): Promise<ApiUser> {
    const response = await fetch(`${origin}/dev/users`);
    const users = (await response.json()) as DemoUser[];
    const user = users.find((u) => u.email === email);
    if (user === undefined) throw new Error(`no demo user has the address ${email}`);
    return new ApiUser(user.token, origin);
  }

  create(reference: string, total_amount = 1250, currency = 'EUR'): Promise<Order> {
    return this.#post('/api/orders', { reference, total_amount, currency });
  }

  pay(order: Order): Promise<Order> {
    return this.#post(`/api/orders/${order.order_id}/pay`);
  }

  changeStatus(order: Order, status: string): Promise<Order> {
    return this.#post(`/api/orders/${order.order_id}/status`, { status });
  }

  /** The order as order-api has it. */
  async order(orderId: string): Promise<Order> {
    const response = await fetch(`${this.#origin}/api/orders/${orderId}`, { headers: this.#headers() });
    if (!response.ok) throw new Error(`GET /api/orders/${orderId}: ${String(response.status)}`);
    return (await response.json()) as Order;
  }

  /** The user as user-api returns it. */
  async me(): Promise<{ notification_email_enabled: boolean }> {
    const response = await fetch(`${this.#origin}/api/me`, { headers: this.#headers() });
    if (!response.ok) throw new Error(`GET /api/me: ${String(response.status)}`);
    return (await response.json()) as { notification_email_enabled: boolean };
  }

  #headers(): Record<string, string> {
    return { Authorization: `Bearer ${this.#token}` };
  }

  async #post(path: string, body?: unknown): Promise<Order> {
    const response = await fetch(this.#origin + path, {
      method: 'POST',
      headers: { ...this.#headers(), ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`POST ${path}: ${String(response.status)} ${await response.text()}`);
    return (await response.json()) as Order;
  }
}

/** A reference that no other run has used. */
export function newReference(): string {
  return `E-${Math.random().toString(36).slice(2, 9).toUpperCase()}`;
}
