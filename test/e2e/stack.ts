/** The running `orderbell dev`: the addresses of its programs, from the state file in its data directory. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../..', import.meta.url));

/** The environment variable that tells the tests' processes the data directory. */
export const dataVariable = 'ORDERBELL_E2E_DATA';

export interface Stack {
  readonly pid: number;
  readonly origin: string;
  readonly mailpit_url: string;
  readonly database_url: string;
  readonly event_sender_secret: string;
  readonly traces_url: string;
  readonly operations_url: string;
  readonly programs: Readonly<Record<string, { readonly url: string; readonly pid: number }>>;
}

/** The stack as it is now (process ids change with each crash), or undefined while it is not ready. */
export function readStack(data: string): Stack | undefined {
  try {
    return JSON.parse(readFileSync(join(data, 'dev.json'), 'utf8')) as Stack;
  } catch {
    return undefined;
  }
}

export function runningStack(): Stack {
  const stack = readStack(process.env[dataVariable] ?? '');
  if (stack === undefined) throw new Error('orderbell dev is not ready');
  return stack;
}

export function program(name: string): { readonly url: string; readonly pid: number } {
  const found = runningStack().programs[name];
  if (found === undefined) throw new Error(`orderbell dev runs no ${name}`);
  return found;
}
