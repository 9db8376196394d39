import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keepIn, parseSession, type Session, type SessionKeeper, userOf } from '../services/session';
import { signOutsIn } from '../services/signOuts';
import { FakeOrigin } from '../testing/fakeOrigin';
import { problem } from '../testing/http';
import { storage } from '../testing/storage';
import { type Client, openClient } from './client';

let client: Client | undefined;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  client?.close();
  vi.useRealTimers();
});

function setup(kept?: Session) {
  const origin = new FakeOrigin();
  let saved = kept;
  const keeper: SessionKeeper = {
    load: () => saved,
    save: (session) => {
      saved = session;
    },
    clear: () => {
      saved = undefined;
    },
  };
  const opened = openClient({ fetch: origin.fetch, keeper, origin: 'https://shop.example' });
  client = opened;
  return { origin, client: opened, saved: () => saved };
}

function session(origin: FakeOrigin, email: string): Session {
  return parseSession(origin.user(email), 'user');
}

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(10);
}

it('opens a feed for the user, and closes it when another user signs in', async () => {
  const { origin, client: c, saved } = setup();
  expect(c.getSnapshot()).toEqual({ kind: 'signed_out', reason: '' });
  c.signIn(session(origin, 'owner@demo.example'));
  await settle();
  c.signIn(session(origin, 'owner@kopi.example'));
  await settle();
  expect([...origin.streams].map((s) => s.user.email)).toEqual(['owner@kopi.example']);
  expect(saved()?.tenantId).toBe('kopi');
  c.signOut();
  await settle();
  expect(origin.streams.size).toBe(0);
  expect(saved()).toBeUndefined();
  expect(c.getSnapshot()).toEqual({ kind: 'signed_out', reason: '' });
});

it('goes on with a kept session', async () => {
  const { origin, client: c } = setup(session(new FakeOrigin(), 'cashier@demo.example'));
  await settle();
  expect(c.getSnapshot().kind).toBe('signed_in');
  expect(origin.streams.size).toBe(1);
});

it('gets a fresh token for an expired one, with one request for all who ask', async () => {
  const expired = { ...session(new FakeOrigin(), 'cashier@demo.example'), token: 'expired' };
  const { origin, client: c, saved } = setup(expired);
  const state = c.getSnapshot();
  if (state.kind !== 'signed_in') throw new Error('not signed in');
  const created = state.feed.create({ reference: '', totalAmount: 1, currency: 'EUR' }, 'key');
  await settle();
  await expect(created).resolves.toMatchObject({ version: 1 });
  expect(state.feed.connection.getSnapshot()).toEqual({ kind: 'live' });
  expect(origin.requests.filter((r) => r.path === '/dev/users')).toHaveLength(1);
  expect(saved()?.token).toBe('token-of-cashier-of-demo');
});

it.each([
  [401, 'Your session has ended. Please sign in again.'],
  [403, 'This account may not see the orders.'],
])('signs out after a %d that stays', async (status, reason) => {
  const { origin, client: c, saved } = setup();
  origin.answerOnce('/dev/users', problem(404, 'not here'));
  origin.answerOnce('/api/sse/notifications', problem(status, 'no'));
  c.signIn(session(origin, 'cashier@demo.example'));
  await settle();
  expect(c.getSnapshot()).toEqual({ kind: 'signed_out', reason });
  expect(saved()).toBeUndefined();
});

describe('a paired till', () => {
  const till: Session = {
    token: 'orderbell-device.a.demo.0190-id.secret',
    tenantId: 'a.demo',
    tenantName: 'Demo Deli',
    name: 'Bar',
    email: '',
    roles: ['kitchen'],
    currency: '',
    by: 'device',
    stays: true,
  };
  const reason = 'This till is no longer paired: an owner or manager has revoked it. Pair it again to go on.';

  it('says why it is signed out, and asks for no other token', async () => {
    const { origin, client: c, saved } = setup(till); // the origin knows no such token: it is revoked
    await settle();
    expect(c.getSnapshot()).toEqual({ kind: 'signed_out', reason });
    expect(saved()).toBeUndefined();
    expect(origin.requests.map((r) => r.path)).not.toContain('/dev/users');
  });

  it('is signed out by its own sign too, while the gateway is away', async () => {
    const { origin, client: c } = setup();
    for (let i = 0; i < 50; i += 1) origin.answerOnce('/api/sse/notifications', new TypeError('down'));
    origin.answerOnce('/api/devices/me/seen', problem(503, 'away'));
    origin.answerOnce('/api/devices/me/seen', problem(401, 'revoked'));
    c.signIn(till);
    await settle();
    expect(c.getSnapshot().kind).toBe('signed_in');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(c.getSnapshot()).toEqual({ kind: 'signed_out', reason });
    await vi.advanceTimersByTimeAsync(600_000);
    expect(origin.requests.filter((r) => r.path === '/api/devices/me/seen')).toHaveLength(2);
  });

  it('survives a reload of the page as itself', () => {
    const [tab, browser] = [storage(), storage()];
    const keeper = keepIn(tab, browser);
    keeper.save(till);
    expect([tab.length, browser.length]).toEqual([0, 1]);
    expect(keeper.load()).toEqual(till);
    keeper.clear();
    expect(browser).toHaveLength(0);
  });

  it('is the actor of its own changes', () => {
    expect(userOf(till.token)).toBe('0190-id');
  });
});

it('signs out in every tab of the user, and in no other, without a network', async () => {
  const origin = new FakeOrigin();
  const channels: EventTarget[] = [];
  const open = () => {
    const channel = new EventTarget();
    channels.push(channel);
    const postMessage = (data: unknown) => {
      for (const other of channels) {
        if (other !== channel) other.dispatchEvent(new MessageEvent('message', { data }));
      }
    };
    return Object.assign(channel, { postMessage }) as unknown as BroadcastChannel;
  };
  const keeper: SessionKeeper = { load: () => undefined, save: () => undefined, clear: () => undefined };
  const tabs = ['owner@demo.example', 'owner@demo.example', 'cashier@demo.example'].map((email) => {
    const tab = openClient({
      fetch: origin.fetch,
      keeper,
      origin: 'https://shop.example',
      signOuts: signOutsIn(open),
    });
    tab.signIn(session(origin, email));
    return tab;
  });
  await settle();
  for (let i = 0; i < 50; i += 1) origin.answerOnce('/api/sse/notifications', new TypeError('offline'));
  tabs[0]?.signOut();
  await settle();
  expect(tabs.map((tab) => tab.getSnapshot().kind)).toEqual(['signed_out', 'signed_out', 'signed_in']);
  for (const tab of tabs) tab.close();
});
