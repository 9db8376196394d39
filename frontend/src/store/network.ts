/** Whether the browser reports a network. */
import type { Observable } from './observable';

export function network(page: Window): Observable<boolean> {
  return {
    getSnapshot: () => page.navigator.onLine,
    subscribe(listener) {
      for (const event of ['online', 'offline']) page.addEventListener(event, listener);
      return () => {
        for (const event of ['online', 'offline']) page.removeEventListener(event, listener);
      };
    },
  };
}

/** Always online: for tests, and programs without a window. */
export const alwaysOnline: Observable<boolean> = {
  getSnapshot: () => true,
  subscribe: () => () => undefined,
};
