import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { json } from '../testing/http';
import { retrying } from './authorized';
import { call, longestRequest, Problem } from './problem';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** Neither answers nor listens to an abort, as a request that waits for a free connection. */
const never = () => new Promise<Response>(() => undefined);

it('ends a request that gets no answer', async () => {
  const failed = call(never, '/api/orders', {}).catch((err: unknown) => err);
  await vi.advanceTimersByTimeAsync(longestRequest);
  expect(await failed).toMatchObject({
    status: 0,
    message: 'The server did not answer within 10 seconds. Try again.',
  });
});

it('ends a request whose answer does not come to its end', async () => {
  const body = new ReadableStream<Uint8Array>({ start: (c) => c.enqueue(new TextEncoder().encode('{"a"')) });
  const failed = call(async () => new Response(body), '/api/orders', {}).catch((err: unknown) => err);
  await vi.advanceTimersByTimeAsync(longestRequest);
  expect(await failed).toBeInstanceOf(Problem);
});

it('takes an answer without content, whose body browsers show as an empty one', async () => {
  const answer = Object.defineProperty(new Response(''), 'status', { value: 204 });
  expect(answer.body).not.toBeNull();
  expect((await call(async () => answer, '/api/users/u-1', { method: 'DELETE' })).status).toBe(204);
});

it('tries a request with a key again until there is an answer, and no further', async () => {
  const keys: unknown[] = [];
  const answers = [new Problem(0, 'lost'), new Problem(503, 'away'), json(201, { ok: true })];
  const ask = retrying(async (_path, init) => {
    keys.push(new Headers(init?.headers).get('Idempotency-Key'));
    const answer = answers.shift();
    if (answer === undefined || answer instanceof Problem) throw answer ?? new Error('no more');
    return answer;
  });
  const answered = ask('/api/orders', { method: 'POST', headers: { 'Idempotency-Key': 'k' } });
  await vi.advanceTimersByTimeAsync(4000);
  expect((await answered).status).toBe(201);
  expect(keys).toEqual(['k', 'k', 'k']);
});

it('does not try again what was refused', async () => {
  const ask = vi.fn(async () => {
    throw new Problem(422, 'wrong');
  });
  await expect(retrying(ask)('/api/orders', {})).rejects.toThrow('wrong');
  expect(ask).toHaveBeenCalledTimes(1);
});
