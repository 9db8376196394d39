import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataVariable, readStack, repository } from './stack';

/** Long enough for a slow machine to create a database cluster and start every program. */
const startPatience = 180_000;
const stopPatience = 60_000;

/** Starts `orderbell dev` for all tests; returns what stops it. */
export default async function start(): Promise<() => Promise<void>> {
  const { data, stop } = await startStack('dev.log', process.env);
  process.env[dataVariable] = data;
  return stop;
}

/** Starts `orderbell dev` on a free port and an empty data directory. */
export async function startStack(
  logName: string,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly data: string; readonly stop: () => Promise<void> }> {
  const data = await mkdtemp(join(tmpdir(), 'orderbell-e2e-'));
  const report = join(repository, '.report', 'e2e');
  mkdirSync(report, { recursive: true });
  const log = join(report, logName);
  const child = spawn(join(repository, 'bin', 'orderbell'), ['dev', '--data', data], {
    env: { ...env, PORT: '0', DEV_TOKEN_LIFE: '45s' }, // short enough for renewals during a test
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = createWriteStream(log);
  child.stdout.pipe(output, { end: false });
  child.stderr.pipe(output, { end: false });
  const ended = endOf(child);
  try {
    await ready(data, child, ended);
  } catch (err) {
    child.kill('SIGKILL');
    await ended;
    throw new Error(`${String(err)}\n${tail(log)}`);
  }
  return { data, stop };

  async function stop(): Promise<void> {
    child.kill('SIGINT');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopPatience);
    const how = await ended;
    clearTimeout(timer);
    output.end();
    await rm(data, { recursive: true, force: true });
    if (how !== 'exit status 0') throw new Error(`orderbell dev stopped with ${how}\n${tail(log)}`);
  }
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on('error', (err) => resolve(`${err.message} (make build builds it)`));
    child.on('exit', (code, signal) => resolve(signal ?? `exit status ${String(code)}`));
  });
}

async function ready(data: string, child: ChildProcess, ended: Promise<string>): Promise<void> {
  const deadline = Date.now() + startPatience;
  while (readStack(data)?.pid !== child.pid) {
    if (Date.now() > deadline) throw new Error('orderbell dev is not ready after three minutes');
    const how = await Promise.race([ended, pause(100)]);
    if (how !== undefined) throw new Error(`orderbell dev ended while starting: ${how}`);
  }
}

function pause(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined));
}

function tail(log: string): string {
  return readFileSync(log, 'utf8').split('\n').slice(-60).join('\n');
}
