/**
 * What the page shows and does while a part is down. The test has its own stack and its own Redis, so that it can stop one part
 * after the other.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { readStack, type Stack } from './stack';
import { startStack } from './start';
import { expect, type Till, test } from './till';
import { ApiUser, newReference } from './users';

test.describe.configure({ mode: 'serial', timeout: 300_000 });

/** The contract says five seconds; a busy machine may need longer to render. */
const soon = { timeout: 10_000 };
const patience = { timeout: 90_000 };

let redis: Redis;
let running: { readonly data: string; readonly stop: () => Promise<void> };

class Redis {
  readonly port: number;
  #server: ChildProcess | undefined;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(): Promise<Redis> {
    const port = await new Promise<number>((resolve, reject) => {
      const server = createServer();
      server.on('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
      });
    });
    const one = new Redis(port);
    await one.again();
    return one;
  }

  /** Starts the server without data. */
  async again(): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.on('error', (err) => reject(new Error(`${err.message}: install Debian's package redis-server`)));
      server.on('exit', (code) => reject(new Error(`redis-server ended with ${String(code)}`)));
      server.stdout.on('data', (text: Buffer) => {
        if (text.includes('Ready to accept connections')) resolve();
      });
    });
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await ended;
  }
}

function stack(): Stack {
  const found = readStack(running.data);
  if (found === undefined) throw new Error('the stack of its own is not ready');
  return found;
}

function pidOf(name: string): number {
  const found = stack().programs[name];
  // 0 means that the program is restarting; a signal to 0 would reach the tests themselves.
  if (found === undefined || found.pid < 2) throw new Error(`orderbell dev runs no ${name}`);
  return found.pid;
}

/** Kills a program each time it has restarted, until the returned function is called. */
function keepDown(name: string): () => void {
  const kill = () => {
    try {
      process.kill(pidOf(name), 'SIGKILL');
    } catch {
      // The program is restarting.
    }
  };
  kill();
  const timer = setInterval(kill, 50);
  return () => clearInterval(timer);
}

async function expectNotLive(till: Till): Promise<void> {
  const began = Date.now();
  await expect(till.connection).toHaveText(/^Not live since /, soon);
  test.info().annotations.push({ type: 'said so after', description: `${String(Date.now() - began)} ms` });
}

/** Orders can be created and changed without the stream. */
async function expectToWork(till: Till): Promise<void> {
  const reference = newReference();
  await till.create('7.50', reference);
  await expect(till.page.getByText(`Order ${reference} created.`)).toBeVisible();
  await till.find(reference);
  await till.press('Take payment', reference);
  await expect(till.order(reference)).toHaveAttribute('data-status', 'paid');
  await till.press('Start preparing', reference);
  await expect(till.order(reference)).toHaveAttribute('data-status', 'preparing');
  await till.page.getByRole('searchbox').fill('');
}

async function expectToCatchUp(till: Till, reference: string): Promise<void> {
  await expect(till.connection).toHaveText('Live', patience);
  await expect(till.page.getByTestId('caught-up')).toContainText(/Live again\. From .* to /, soon);
  await till.find(reference);
  await expect(till.order(reference)).toHaveCount(1);
  await till.page.getByRole('searchbox').fill('');
}

test.beforeAll(async () => {
  redis = await Redis.start();
  const { DATABASE_URL: _, KAFKA_BROKERS: __, SMTP_URL: ___, MAILPIT_URL: ____, ...env } = process.env;
  running = await startStack('outage.log', {
    ...env,
    REDIS_URL: `redis://127.0.0.1:${String(redis.port)}/0`,
  });
});

test.afterAll(async () => {
  await running.stop();
  await redis.stop();
});

async function setup(openTill: (email: string, options: { at: string }) => Promise<Till>) {
  const { origin } = stack();
  const till = await openTill('owner@demo.example', { at: origin });
  return { till, colleague: await ApiUser.named('cashier@demo.example', origin), reference: newReference() };
}

test('the gateway hangs', async ({ openTill }) => {
  const { till, colleague, reference } = await setup(openTill);
  const pid = pidOf('sse-gateway');
  process.kill(pid, 'SIGSTOP');
  try {
    await expectNotLive(till);
    await colleague.create(reference);
    await expectToWork(till);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await expectToCatchUp(till, reference);
});

test('the gateway is stopped', async ({ openTill }) => {
  const { till, colleague, reference } = await setup(openTill);
  const letGo = keepDown('sse-gateway');
  try {
    await expectNotLive(till);
    await colleague.create(reference);
    await expectToWork(till);
    // Changes by others appear when the list is loaded again.
    await expect(till.order(reference)).toHaveCount(1);
  } finally {
    letGo();
  }
  await expectToCatchUp(till, reference);
});

test('Redis is stopped, and restarts without its data', async ({ openTill }) => {
  const { till, colleague, reference } = await setup(openTill);
  await redis.stop();
  try {
    await expectNotLive(till);
    await colleague.create(reference);
    await expect(till.order(reference)).toHaveCount(1);
  } finally {
    await redis.again();
  }
  await expectToCatchUp(till, reference);
});

for (const name of ['outbox-relay', 'order-created']) {
  test(`${name} hangs: Redis works, and the page does not say Live`, async ({ openTill }) => {
    const { till, colleague, reference } = await setup(openTill);
    const pid = pidOf(name);
    process.kill(pid, 'SIGSTOP');
    try {
      const began = Date.now();
      await colleague.create(reference);
      await expect(till.order(reference)).toHaveCount(1, soon); // the page reads the list again only once it is not live
      test.info().annotations.push({ type: 'shown after', description: `${String(Date.now() - began)} ms` });
      await expectNotLive(till);
      await expect(till.page.getByTestId('stale')).toContainText('cannot guarantee live updates');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await expectToCatchUp(till, reference);
  });
}

test('a leading tab that hangs is replaced', async ({ openTill }) => {
  const { till: leading, colleague, reference } = await setup(openTill);
  const session = await leading.page.evaluate(() => sessionStorage.getItem('orderbell.session') ?? '');
  const context = leading.page.context();
  await context.addInitScript((kept) => sessionStorage.setItem('orderbell.session', kept), session);
  const page = await context.newPage();
  await page.goto(`${stack().origin}/#/?sort=newest`);
  const other = page.getByTestId('connection');
  await expect(other).toHaveText('Live');
  const hung = leading.page.evaluate(() => {
    const until = Date.now() + 20_000;
    while (Date.now() < until);
  });
  await colleague.create(reference);
  // Long before the first tab continues. The other tab is not live for a short time, or stays live.
  await expect(page.getByRole('article', { name: reference, exact: true })).toHaveCount(1, soon);
  await expect(other).toHaveText('Live', soon);
  await hung;
  await expect(leading.connection).toHaveText('Live');
  await expect(leading.order(reference)).toHaveCount(1);
});

test('the network is off: the page says so, and signs out in every tab', async ({ openTill }) => {
  const { till } = await setup(openTill);
  const session = await till.page.evaluate(() => sessionStorage.getItem('orderbell.session') ?? '');
  const context = till.page.context();
  const page = await context.newPage();
  await page.goto(stack().origin);
  await page.evaluate((kept) => sessionStorage.setItem('orderbell.session', kept), session);
  await page.reload();
  await expect(page.getByTestId('connection')).toHaveText('Live');
  await context.setOffline(true);
  await expectNotLive(till);
  await expect(till.page.getByTestId('stale')).toContainText('This device is offline.');
  await till.page.getByRole('button', { name: /^Account of/ }).click();
  await till.page.getByRole('button', { name: 'Sign out' }).click();
  for (const tab of [till.page, page]) {
    await expect(tab.getByTestId('connection')).toHaveCount(0);
    expect(await tab.evaluate(() => sessionStorage.getItem('orderbell.session'))).toBeNull();
  }
});
