import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { keepPairingIn, pairingClient } from '../services/pairing';
import type { Session } from '../services/session';
import { json, problem } from '../testing/http';
import { storage } from '../testing/storage';
import { type Pairing, pairing } from './pairing';

const began = Date.parse('2026-11-29T10:00:00Z');
const minutes = 60_000;

beforeEach(() => {
  vi.useFakeTimers({ now: began });
});

afterEach(() => {
  vi.useRealTimers();
});

type Answer = () => Response | Promise<Response>;

interface Request {
  readonly path: string;
  readonly body: unknown;
  /** Milliseconds after the first moment. */
  readonly at: number;
}

/** A till whose server answers as `states` say, one after another, the last one for ever. */
function setup({
  states = [pending],
  begins = [code('WDJB-MJHT')],
}: {
  states?: Answer[];
  begins?: Answer[];
} = {}) {
  const tab = storage();
  const requests: Request[] = [];
  const paired: Session[] = [];
  const open = (): Pairing =>
    pairing({
      client: pairingClient(async (path, init) => {
        requests.push({ path, body: init?.body, at: Date.now() - began });
        const answers = path === '/api/pairings' ? begins : states;
        const answer = answers.length > 1 ? answers.shift() : answers[0];
        if (answer === undefined) throw new Error(`no answer to ${path}`);
        return answer();
      }),
      keeper: keepPairingIn(tab),
      onPaired: (session) => paired.push(session),
      random: () => 0,
    });
  return { till: open(), open, tab, requests, paired };
}

function code(user_code: string): Answer {
  return () => json(201, { device_code: `secret of ${user_code}`, user_code, expires_in: 600, interval: 3 });
}

function pending(): Response {
  return json(200, { state: 'pending' });
}

function approved(): Response {
  return json(200, {
    state: 'approved',
    token: 'orderbell-device.demo.id.secret',
    tenant_name: 'Demo Deli',
    device: {
      device_id: 'id',
      tenant_id: 'demo',
      name: 'Bar',
      role: 'kitchen',
      paired_at: '2026-11-29T10:00:05Z',
      connected: false,
    },
  });
}

function away(): never {
  throw new TypeError('down');
}

function waiting(problemText = '') {
  return { kind: 'waiting', code: 'WDJB-MJHT', endsAt: began + 10 * minutes, problem: problemText };
}

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

const unreachable = 'The server could not be reached. Check the connection and try again.';

it('shows a code, asks at the interval of the server, and signs in as the device', async () => {
  const { till, requests, paired, tab } = setup({ states: [pending, approved] });
  till.open();
  expect(till.getSnapshot()).toEqual({ kind: 'beginning', problem: '' });
  await pass(2999);
  expect(till.getSnapshot()).toEqual(waiting());
  expect(requests.map(({ path }) => path)).toEqual(['/api/pairings']);
  await pass(3001);
  expect(requests.slice(1)).toEqual([
    { path: '/api/pairings/state', body: '{"device_code":"secret of WDJB-MJHT"}', at: 3000 },
    { path: '/api/pairings/state', body: '{"device_code":"secret of WDJB-MJHT"}', at: 6000 },
  ]);
  expect(paired).toEqual([
    {
      token: 'orderbell-device.demo.id.secret',
      tenantId: 'demo',
      tenantName: 'Demo Deli',
      name: 'Bar',
      email: '',
      roles: ['kitchen'],
      currency: '',
      by: 'device',
      stays: true,
    },
  ]);
  expect(tab, 'the secret of the code').toHaveLength(0);
  await pass(minutes);
  expect(requests).toHaveLength(3);
});

it('says that the code has expired, asks no more, and gets another one', async () => {
  const { till, requests } = setup({ begins: [code('WDJB-MJHT'), code('BCDF-GHJK')] });
  till.open();
  await pass(10 * minutes - 1);
  expect(till.getSnapshot()).toEqual(waiting());
  await pass(1);
  expect(till.getSnapshot()).toEqual({ kind: 'over', reason: 'The code has expired without an approval.' });
  const asked = requests.length;
  await pass(10 * minutes);
  expect(requests).toHaveLength(asked);
  till.begin();
  await pass(0);
  expect(till.getSnapshot()).toMatchObject({ kind: 'waiting', code: 'BCDF-GHJK' });
});

it('says that the code is not valid any more', async () => {
  const { till, paired, tab } = setup({ states: [() => problem(404, 'no such pairing')] });
  till.open();
  await pass(3000);
  expect(till.getSnapshot()).toEqual({
    kind: 'over',
    reason: 'The code is no longer valid. If it was approved, the till has been revoked since.',
  });
  expect(tab).toHaveLength(0);
  expect(paired).toEqual([]);
});

it('asks less and less often while the server is away, and says so until it answers', async () => {
  const busy = () => problem(429, 'this address asks too often');
  const { till, requests, paired } = setup({ states: [away, busy, away, away, away, pending, approved] });
  till.open();
  await pass(3000);
  expect(till.getSnapshot()).toEqual(waiting(unreachable));
  await pass(6000);
  expect(till.getSnapshot()).toEqual(waiting('this address asks too often'));
  await pass(12_000 + 24_000 + 30_000);
  expect(till.getSnapshot()).toEqual(waiting(unreachable));
  till.retryNow();
  await pass(0);
  expect(till.getSnapshot()).toEqual(waiting());
  await pass(3000);
  expect(paired).toHaveLength(1);
  expect(requests.slice(1).map(({ at }) => at / 1000)).toEqual([3, 9, 21, 45, 75, 75, 78]);
});

it('tries again for a code by itself while the server is away', async () => {
  const { till, requests } = setup({
    begins: [away, () => problem(503, 'no database'), code('WDJB-MJHT')],
  });
  till.open();
  await pass(0);
  expect(till.getSnapshot()).toEqual({ kind: 'beginning', problem: unreachable });
  await pass(1000);
  expect(till.getSnapshot()).toEqual({
    kind: 'beginning',
    problem: 'The server is not available at the moment. Try again shortly.',
  });
  await pass(2000);
  expect(till.getSnapshot()).toMatchObject({ kind: 'waiting', code: 'WDJB-MJHT' });
  expect(requests.map(({ at }) => at)).toEqual([0, 1000, 3000]);
});

it('says why it gets no code, and leaves another try to the user', async () => {
  const { till, requests } = setup({ begins: [() => problem(429, 'too many pairings: try again in 9m')] });
  till.open();
  await pass(minutes);
  expect(till.getSnapshot()).toEqual({ kind: 'over', reason: 'too many pairings: try again in 9m' });
  expect(requests).toHaveLength(1);
});

it('goes on with its code after a reload while the code is good', async () => {
  const { till, open, requests, paired } = setup({ states: [pending, pending, approved] });
  till.open();
  await pass(4000);
  till.close();
  await pass(minutes);
  expect(requests, 'a closed page asks nothing').toHaveLength(2);
  const reloaded = open();
  reloaded.open();
  expect(reloaded.getSnapshot()).toEqual(waiting());
  await pass(6000);
  expect(paired).toHaveLength(1);
  expect(requests.filter(({ path }) => path === '/api/pairings')).toHaveLength(1);
});

it.each([
  ['its code has expired', ''],
  ['another version has written what is kept', '{"deviceCode":1}'],
])('gets another code after a reload if %s', async (_case, kept) => {
  const { till, open, tab } = setup({ begins: [code('WDJB-MJHT'), code('BCDF-GHJK')] });
  till.open();
  await pass(0);
  till.close();
  if (kept === '') vi.setSystemTime(began + 10 * minutes);
  else tab.setItem(tab.key(0) ?? '', kept);
  const reloaded = open();
  reloaded.open();
  await pass(0);
  expect(reloaded.getSnapshot()).toMatchObject({ kind: 'waiting', code: 'BCDF-GHJK' });
});

it('signs in with no answer that comes after the user has left the pairing', async () => {
  let answer: (response: Response) => void = () => undefined;
  const { till, paired, tab } = setup({
    states: [() => new Promise((resolve) => (answer = resolve))],
  });
  till.open();
  await pass(3000);
  till.cancel();
  answer(approved());
  await pass(minutes);
  expect(paired).toEqual([]);
  expect(tab).toHaveLength(0);
});
