/** People who use the APIs without a browser: the other tills of the business. */
import { createParser } from 'eventsource-parser';
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

export interface StreamedEvent {
  readonly id: string;
  readonly type: string;
  /** The event's data, byte for byte as the stream carried it. */
  readonly data: string;
}

export class Person {
  readonly #token: string;

  private constructor(token: string) {
    this.#token = token;
  }

  static async named(email: string): Promise<Person> {
    const response = await fetch(`${runningStack().origin}/dev/users`);
    const users = (await response.json()) as DemoUser[];
    const user = users.find((u) => u.email === email);
    if (user === undefined) throw new Error(`there is no demo user ${email}`);
    return new Person(user.token);
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

  /** Does something and returns the stream's event of that order and type. */
  async hear(type: string, act: () => Promise<Order>): Promise<StreamedEvent> {
    const stop = new AbortController();
    const response = await fetch(`${runningStack().origin}/api/sse/notifications`, {
      headers: { ...this.#headers(), Accept: 'text/event-stream' },
      signal: stop.signal,
    });
    if (!response.ok || response.body === null)
      throw new Error(`the stream answered ${String(response.status)}`);
    const events: StreamedEvent[] = [];
    let order: Order | undefined;
    const parser = createParser({
      onEvent({ id = '', event = '', data }) {
        events.push({ id, type: event, data });
        // The subscription exists: from here on nothing is missed.
        if (event === 'ready') void act().then((done) => (order = done));
      },
    });
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      parser.feed(decoder.decode(chunk, { stream: true }));
      const found = events.find(
        (e) => e.type === type && order !== undefined && e.data.includes(order.order_id),
      );
      if (found === undefined) continue;
      stop.abort();
      return found;
    }
    throw new Error('the stream ended');
  }

  #headers(): Record<string, string> {
    return { Authorization: `Bearer ${this.#token}` };
  }

  async #post(path: string, body?: unknown): Promise<Order> {
    const response = await fetch(runningStack().origin + path, {
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
