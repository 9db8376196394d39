import { afterEach, expect, it, vi } from 'vitest';
import { authorized } from '../services/authorized';
import { deviceClient, type PairedDevice } from '../services/devices';
import { openSigns } from '../services/signs';
import { json, problem } from '../testing/http';
import { deviceStore } from './devices';

afterEach(() => {
  vi.useRealTimers();
});

const bar = {
  device_id: 'd-1',
  tenant_id: 'demo',
  name: 'Bar',
  role: 'kitchen',
  paired_at: '2026-11-29T10:00:00Z',
  paired_by: 'Ayu',
  connected: true,
  connected_since: '2026-11-29T10:01:00Z',
  last_seen_at: '2026-11-29T10:05:00Z',
};
const away = { ...bar, device_id: 'd-2', name: 'Till 2', connected: false, connected_since: undefined };

const parsedBar: PairedDevice = {
  id: 'd-1',
  tenantId: 'demo',
  name: 'Bar',
  role: 'kitchen',
  pairedAt: Date.parse('2026-11-29T10:00:00Z'),
  pairedBy: 'Ayu',
  connectedSince: Date.parse('2026-11-29T10:01:00Z'),
  lastSeenAt: Date.parse('2026-11-29T10:05:00Z'),
};

type Answer = Response | Error | Promise<Response>;

/** A store whose server gives these answers, one after another. */
function setup(...answers: Answer[]) {
  const requests: string[] = [];
  const ask = authorized(
    async (path, init) => {
      requests.push(
        `${init?.method ?? 'GET'} ${path} ${typeof init?.body === 'string' ? init.body : ''}`.trim(),
      );
      const answer = answers.shift() ?? new Error(`no answer to ${path}`);
      if (answer instanceof Error) throw answer;
      return answer;
    },
    { token: () => 'token', renew: () => Promise.resolve(false) },
  );
  return { store: deviceStore(deviceClient(ask)), ask, requests };
}

function devices(...found: unknown[]): Response {
  return json(200, { devices: found });
}

it('shows the devices, those that are connected as such', async () => {
  const { store } = setup(devices(bar, away));
  await store.load();
  expect(store.getSnapshot()).toEqual({
    kind: 'ready',
    items: [parsedBar, { ...parsedBar, id: 'd-2', name: 'Till 2', connectedSince: undefined }],
  });
});

it('approves and revokes, and reads the list again', async () => {
  const { store, requests } = setup(
    json(201, bar),
    devices(bar),
    new Response(null, { status: 204 }),
    devices(),
  );
  const approval = { code: 'WDJB-MJHT', name: 'Bar', role: 'kitchen' } as const;
  expect(await store.make((client) => client.approve(approval))).toBe('');
  expect(store.getSnapshot()).toEqual({ kind: 'ready', items: [parsedBar] });
  expect(await store.make((client) => client.revoke(parsedBar))).toBe('');
  expect(store.getSnapshot()).toEqual({ kind: 'ready', items: [] });
  expect(requests).toEqual([
    'POST /api/devices {"user_code":"WDJB-MJHT","name":"Bar","role":"kitchen"}',
    'GET /api/devices',
    'DELETE /api/devices/d-1',
    'GET /api/devices',
  ]);
});

it.each([
  [404, 'user_code', 'No till shows this code. It may be mistyped, or expired: look at the till again.'],
  [404, undefined, 'This device was revoked already.'],
  [409, 'name', 'Another device has this name.'],
  [409, undefined, 'The business has reached its limit of devices. Revoke one first.'],
  [429, undefined, 'Too many wrong codes were typed. Try again in ten minutes.'],
  [422, 'name', 'as the server says it'],
])('says what a refusal %d of %s means', async (status, field, said) => {
  const more = field === undefined ? {} : { errors: [{ field, detail: 'wrong' }] };
  const { store } = setup(problem(status, 'as the server says it', more), devices());
  expect(await store.make((client) => client.revoke(parsedBar))).toBe(said);
});

it('keeps what it knows while the server is away', async () => {
  const { store } = setup(devices(bar), new TypeError('down'), new TypeError('down'));
  await store.refresh();
  await store.refresh();
  expect(store.getSnapshot()).toEqual({ kind: 'ready', items: [parsedBar] });
  await store.load();
  expect(store.getSnapshot()).toMatchObject({ kind: 'failed' });
});

it('shows no list of before a change after it', async () => {
  let answer: (response: Response) => void = () => undefined;
  const old = new Promise<Response>((resolve) => (answer = resolve));
  const { store } = setup(old, new Response(null, { status: 204 }), devices());
  const refreshed = store.refresh();
  await store.make((client) => client.revoke(parsedBar));
  answer(devices(bar));
  await refreshed;
  expect(store.getSnapshot()).toEqual({ kind: 'ready', items: [] });
});

it('says each minute that a device is there, until it is revoked or leaves', async () => {
  vi.useFakeTimers();
  const { ask, requests } = setup(json(200, bar), new TypeError('down'), problem(401, 'revoked'));
  const revoked = vi.fn();
  const signs = openSigns(ask, revoked);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(requests).toEqual(['POST /api/devices/me/seen', 'POST /api/devices/me/seen']);
  expect(revoked, 'no answer is no refusal').not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(revoked).toHaveBeenCalledTimes(1);
  signs.close();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(requests).toHaveLength(3);
});
