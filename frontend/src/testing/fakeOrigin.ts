/**
 * An origin in memory that keeps the written contract: orders with versions, a snapshot in pages, and a stream with a
 * bounded log to resume from. Tests give its `fetch` to the code under test and act as the other users of the business.
 */
import { nextStatuses, type Role, type Status } from '../model/order';
import type { Fetch } from '../services/problem';
import { json, problem, type Recorded, recorded } from './http';

export interface WireOrder {
  readonly order_id: string;
  readonly tenant_id: string;
  readonly reference: string;
  readonly status: Status;
  readonly total_amount: number;
  readonly currency: string;
  readonly version: number;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface WireUser {
  readonly tenant_id: string;
  readonly tenant_name: string;
  readonly email: string;
  readonly name: string;
  readonly roles: readonly Role[];
  readonly currency: string;
  readonly token: string;
}

export interface WireAccount {
  readonly email: string;
  readonly roles: readonly Role[];
  readonly version: number;
  readonly notification_email_enabled: boolean;
  readonly notification_in_app_enabled: boolean;
  readonly notification_email_events: readonly string[];
  readonly notification_in_app_events: readonly string[];
  readonly time_zone: string;
  readonly quiet_hours: string;
}

export interface FakeOriginOptions {
  /** How many events can be replayed. */
  readonly logSize?: number;
  readonly pageSize?: number;
}

interface Entry {
  readonly id: string;
  readonly type: string;
  readonly order: WireOrder;
}

interface OpenStream {
  readonly user: WireUser;
  write(text: string): void;
  end(): void;
  cut(): void;
}

export class FakeOrigin {
  readonly requests: Recorded[] = [];
  readonly users: WireUser[] = [
    demoUser('demo', 'Demo Deli', 'owner'),
    demoUser('demo', 'Demo Deli', 'cashier'),
    demoUser('demo', 'Demo Deli', 'kitchen'),
    demoUser('demo', 'Demo Deli', 'viewer'),
    demoUser('kopi', 'Kopi Senja', 'owner'),
  ];
  readonly orders = new Map<string, WireOrder>();
  readonly streams = new Set<OpenStream>();
  /** The users of user-api who have changed something, by address. */
  readonly accounts = new Map<string, WireAccount>();
  /** Answers given instead of the real ones, by path, first come first served; an Error is a network that is down. */
  readonly #instead = new Map<string, (Response | Error)[]>();
  /** The state of each order before its last change that can be undone. */
  readonly #undoable = new Map<string, Status>();
  readonly #answers = new Map<string, WireOrder>();
  readonly #logSize: number;
  readonly #pageSize: number;
  #log: Entry[] = [];
  #time = Date.parse('2026-11-24T10:00:00Z');
  #count = 0;
  readonly #read = new Set<string>();
  #readings = 0;

  constructor({ logSize = 1000, pageSize = 2 }: FakeOriginOptions = {}) {
    this.#logSize = logSize;
    this.#pageSize = pageSize;
  }

  readonly fetch: Fetch = async (url, init = {}) => {
    const request = recorded(url, init);
    this.requests.push(request);
    await Promise.resolve(); // an answer never comes in the same turn
    init.signal?.throwIfAborted();
    const instead = this.#instead.get(request.path)?.shift();
    if (instead instanceof Error) throw instead;
    return instead ?? this.#answer(request, init.signal ?? undefined);
  };

  /** The next request of the path gets this answer. */
  answerOnce(path: string, answer: Response | Error): void {
    const answers = this.#instead.get(path) ?? [];
    answers.push(answer);
    this.#instead.set(path, answers);
  }

  /** Another user creates an order. */
  create(tenant = 'demo', reference = '', total = 1250, currency = 'EUR'): WireOrder {
    this.#count += 1;
    const at = this.#now();
    const order: WireOrder = {
      order_id: `6f1f6c1e-3c57-4b4b-9a0e-${this.#count.toString(16).padStart(12, '0')}`,
      tenant_id: tenant,
      reference,
      status: 'submitted',
      total_amount: total,
      currency,
      version: 1,
      created_at: at,
      updated_at: at,
    };
    this.#keep(order);
    return order;
  }

  /** Another user changes an order. */
  advance(orderId: string, status: Status): WireOrder {
    const order = this.orders.get(orderId);
    if (order === undefined) throw new Error(`no order ${orderId}`);
    const changed = { ...order, status, version: order.version + 1, updated_at: this.#now() };
    this.#keep(changed);
    return changed;
  }

  /** Delivers an event that was delivered before. */
  redeliver(index: number): void {
    const entry = this.#log[index % Math.max(1, this.#log.length)];
    if (entry !== undefined) this.#deliver(entry);
  }

  /** Every stream ends: in order, or as when a cable is pulled. */
  endStreams(how: 'end' | 'cut'): void {
    for (const stream of [...this.streams]) stream[how]();
  }

  /** Writes raw text to every stream. */
  write(text: string): void {
    for (const stream of this.streams) stream.write(text);
  }

  user(email: string): WireUser {
    const user = this.users.find((u) => u.email === email);
    if (user === undefined) throw new Error(`no user ${email}`);
    return user;
  }

  #now(): string {
    this.#time += 1000;
    return new Date(this.#time).toISOString();
  }

  #keep(order: WireOrder): void {
    this.orders.set(order.order_id, order);
    const type =
      order.version === 1 ? 'order_created' : order.status === 'paid' ? 'order_paid' : 'order_status_updated';
    const entry = { id: `event-${String(this.#log.length)}-${order.order_id}`, type, order };
    this.#log = [...this.#log, entry];
    this.#deliver(entry);
  }

  #deliver(entry: Entry): void {
    for (const stream of this.streams) {
      if (stream.user.tenant_id === entry.order.tenant_id) stream.write(framesFor(entry, stream.user));
    }
  }

  #answer(request: Recorded, signal: AbortSignal | undefined): Response {
    if (request.path === '/dev/users') return json(200, this.users);
    const user = this.users.find((u) => request.headers.get('Authorization') === `Bearer ${u.token}`);
    if (user === undefined) return problem(401, 'the token has expired: sign in again');
    const [, , noun, id, verb] = request.path.split('/');
    if (request.path === '/api/sse/notifications') return this.#stream(user, request, signal);
    if (noun === 'me') return this.#me(user, request);
    if (noun === 'tenant') return json(200, tenantOf(user));
    if (noun === 'notifications') return this.#inbox(user, request);
    if (noun !== 'orders') return problem(404, `no program serves ${request.path}`);
    if (request.method === 'POST' && id === undefined) return this.#create(user, request);
    const list = this.#list(user, request, id);
    if (list !== undefined) return list;
    const order = this.orders.get(id ?? '');
    if (order?.tenant_id !== user.tenant_id) return problem(404, 'no such order');
    return verb === undefined ? json(200, order) : this.#change(order, verb, request);
  }

  #change(order: WireOrder, verb: string, request: Recorded): Response {
    const before = this.#undoable.get(order.order_id);
    if (verb === 'undo' && before !== undefined) return json(200, this.advance(order.order_id, before));
    const status: Status = verb === 'pay' ? 'paid' : JSON.parse(request.body).status;
    if (!nextStatuses(order.status, ['owner']).includes(status)) {
      return problem(409, `an order that is ${order.status} cannot become ${status}`);
    }
    const changed = this.advance(order.order_id, status);
    if (status === 'paid' || status === 'refunded') return json(200, changed);
    this.#undoable.set(order.order_id, order.status);
    return json(200, { ...changed, undo_until: new Date(this.#time + 60_000).toISOString() });
  }

  #create(user: WireUser, request: Recorded): Response {
    const key = request.headers.get('Idempotency-Key') ?? '';
    const { reference = '', total_amount, currency } = JSON.parse(request.body);
    const order = this.#answers.get(key) ?? this.create(user.tenant_id, reference, total_amount, currency);
    if (key !== '') this.#answers.set(key, order);
    return json(201, order);
  }

  #snapshot(user: WireUser, request: Recorded): Response {
    const from = Number(request.query.get('cursor') ?? 0);
    const orders = [...this.orders.values()]
      .filter((o) => o.tenant_id === user.tenant_id && isAskedFor(o, request.query))
      .reverse();
    const next = from + this.#pageSize;
    return json(200, {
      orders: orders.slice(from, next),
      ...(next < orders.length ? { next_cursor: String(next) } : {}),
    });
  }

  #list(user: WireUser, request: Recorded, which = ''): Response | undefined {
    if (which === 'snapshot') return this.#snapshot(user, request);
    return which === 'counts' ? json(200, this.#counts(user)) : undefined;
  }

  #counts({ tenant_id }: WireUser) {
    const counts: Partial<Record<Status, number>> = {};
    for (const order of this.orders.values()) {
      if (order.tenant_id === tenant_id) counts[order.status] = (counts[order.status] ?? 0) + 1;
    }
    return { counts, up_to: 1000 };
  }

  /** A user has read notifications: sends `read` to all streams of the user. */
  #inbox(user: WireUser, request: Recorded): Response {
    const told = this.#log.filter((e) => e.order.tenant_id === user.tenant_id && isTold(e, user)).reverse();
    const inbox = told.map((entry) => notification(entry, user));
    const unread = inbox.filter((n) => !this.#read.has(n.notification_id)).map((n) => n.notification_id);
    if (request.method === 'POST') {
      const [, , , which = ''] = request.path.split('/');
      const named: string[] =
        which === 'read' ? JSON.parse(request.body).notification_ids : [decodeURIComponent(which)];
      const now = which === 'read-all' ? unread : unread.filter((id) => named.includes(id));
      for (const id of now) this.#read.add(id);
      const reading = { notification_ids: now, all: false, unread: unread.length - now.length };
      this.#readings += 1;
      for (const { user: reader, write } of this.streams) {
        if (reader === user) write(frame('notification_read', reading, `reading-${String(this.#readings)}`));
      }
      return json(200, reading);
    }
    const from = Number(request.query.get('cursor') ?? 0);
    const next = from + Number(request.query.get('limit'));
    const read_at = (id: string) => (this.#read.has(id) ? '2026-11-24T12:00:00Z' : null);
    return json(200, {
      notifications: inbox.slice(from, next).map((n) => ({ ...n, read_at: read_at(n.notification_id) })),
      unread: unread.length,
      ...(next < inbox.length ? { next_cursor: String(next) } : {}),
    });
  }

  #me(user: WireUser, request: Recorded): Response {
    const now = this.accounts.get(user.email) ?? usualAccount(user);
    if (request.method !== 'PATCH') return json(200, now);
    if (request.headers.get('If-Match') !== `"${String(now.version)}"`)
      return problem(412, 'If-Match is stale');
    const changed = { ...now, ...JSON.parse(request.body), version: now.version + 1 };
    this.accounts.set(user.email, changed);
    return json(200, changed);
  }

  #stream(user: WireUser, request: Recorded, signal: AbortSignal | undefined): Response {
    const entries = this.#log.filter((e) => e.order.tenant_id === user.tenant_id);
    const lastId = request.headers.get('Last-Event-ID') ?? '';
    const kept = entries.slice(-this.#logSize);
    const seen = lastId.replace(/\.n$/, '');
    const at = kept.findIndex((e) => e.id === seen);
    const tail = entries.at(-1)?.id ?? '0';
    const resumed = at >= 0;
    // A client that reconnects with 0 gets all kept events, but no `resumed`.
    const follows = resumed || (lastId === '0' && kept.length === entries.length);
    const isLost = !follows && lastId !== '';
    const readyId = isLost ? '0' : follows ? lastId : tail;
    const encoder = new TextEncoder();
    const open = this.streams;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const stream: OpenStream = {
          user,
          write: (text) => controller.enqueue(encoder.encode(text)),
          end() {
            open.delete(stream);
            controller.close();
          },
          cut() {
            open.delete(stream);
            controller.error(new TypeError('network error'));
          },
        };
        signal?.addEventListener('abort', () => {
          if (open.delete(stream)) controller.error(signal.reason);
        });
        open.add(stream);
        stream.write('retry: 1000\n\n');
        const resync = frame('resync', { reason: 'too_old', snapshot: '/api/orders/snapshot' }, tail);
        stream.write(
          frame('ready', { tenant_id: user.tenant_id, resumed }, readyId) + (isLost ? resync : ''),
        );
        if (!follows) return;
        // A cut between a notification and its order replays both.
        for (const entry of kept.slice(lastId.endsWith('.n') ? at : at + 1))
          stream.write(framesFor(entry, user));
      },
    });
    return new Response(body, { status: 200, headers: { 'Content-Type': 'text/event-stream' } });
  }
}

export function frame(event: string, data: unknown, id: string): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** An order as the data of its event. */
export function eventData(order: WireOrder): Record<string, unknown> {
  const { created_at: _, updated_at: timestamp, reference, ...same } = order;
  return { ...same, ...(reference === '' ? {} : { reference }), timestamp };
}

function framesFor(entry: Entry, user: WireUser): string {
  return (
    (isTold(entry, user) ? frame('notification', notification(entry, user), `${entry.id}.n`) : '') +
    frame(entry.type, eventData(entry.order), entry.id)
  );
}

/** By state, days of UTC and text. All orders of this origin are of today. */
function isAskedFor(order: WireOrder, query: URLSearchParams): boolean {
  const day = order.created_at.slice(0, 10);
  const [state, q] = [query.get('state') ?? '', query.get('q')];
  const isDone = nextStatuses(order.status, ['cashier', 'kitchen']).every((s) => s === 'refunded');
  if (q !== null) return order.reference.toLowerCase() === q || order.order_id.startsWith(q);
  if (day < (query.get('from') ?? '') || day > (query.get('to') ?? '9')) return false;
  if (state === '' || state === 'current') return true;
  return state === 'open' ? !isDone : state === 'done' ? isDone : state === order.status;
}

function isTold(entry: Entry, user: WireUser): boolean {
  return entry.type === 'order_paid' && user.roles.some((r) => r !== 'kitchen' && r !== 'viewer');
}

function notification(entry: Entry, user: WireUser) {
  return {
    notification_id: `notification-${entry.id}-${user.email}`,
    event_id: entry.id,
    event: entry.type,
    data: eventData(entry.order),
  };
}

function tenantOf({ tenant_id, tenant_name, currency }: WireUser) {
  return { tenant_id, name: tenant_name, locale: 'en', currency, time_zone: 'UTC', version: 1 };
}

export function usualAccount({ email, roles }: WireUser): WireAccount {
  return {
    email,
    roles,
    version: 1,
    notification_email_enabled: true,
    notification_in_app_enabled: true,
    notification_email_events: ['order_paid'],
    notification_in_app_events: ['order_paid'],
    time_zone: 'UTC',
    quiet_hours: '',
  };
}

function demoUser(tenant: string, tenantName: string, role: Role): WireUser {
  return {
    tenant_id: tenant,
    tenant_name: tenantName,
    email: `${role}@${tenant}.example`,
    name: `${role} of ${tenantName}`,
    roles: [role],
    currency: 'EUR',
    token: `token-of-${role}-of-${tenant}`,
  };
}
