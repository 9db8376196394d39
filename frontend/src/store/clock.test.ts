import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { clock } from './clock';

beforeEach(() => {
  vi.useFakeTimers({ now: 1000 });
});

afterEach(() => {
  vi.useRealTimers();
});

it('ticks only while somebody watches', () => {
  const time = clock();
  const watcher = vi.fn();
  const stop = time.subscribe(watcher);
  vi.advanceTimersByTime(10_000);
  expect(watcher).toHaveBeenCalledTimes(1);
  expect(time.getSnapshot()).toBe(11_000);
  stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(60_000);
  expect(time.getSnapshot()).toBe(11_000);
  time.subscribe(watcher)();
  expect(time.getSnapshot()).toBe(71_000);
});
