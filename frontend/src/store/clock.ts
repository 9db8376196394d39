/** The time for texts such as "2 min ago": one timer, which runs only while a component is subscribed. */
import type { Observable } from './observable';

const calmStep = 10_000;

/** `step` is the time between two updates, in milliseconds. */
export function clock(now: () => number = Date.now, step = calmStep): Observable<number> {
  const listeners = new Set<() => void>();
  let timer: ReturnType<typeof setInterval> | undefined;
  let time = now();
  return {
    getSnapshot: () => time,
    subscribe(listener) {
      if (listeners.size === 0) {
        time = now();
        timer = setInterval(tick, step);
      }
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) clearInterval(timer);
      };
    },
  };

  function tick(): void {
    time = now();
    for (const listener of listeners) listener();
  }
}
