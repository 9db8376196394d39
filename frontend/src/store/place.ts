/**
 * The user's place in the page: the address after "#", with a path such as /orders/ID and a query such as ?state=done. The router
 * (wouter) uses it as its location, so that a static host can serve one file for every address.
 */
import type { Observable } from './observable';

/** The whole address, such as "/?state=done". */
export interface Place extends Observable<string> {
  /** Goes to an address; `replace` leaves no step in the browser's history. */
  go(address: string, options?: { readonly replace?: boolean }): void;
}

export function place(page: Window): Place {
  const listeners = new Set<() => void>();
  return {
    getSnapshot: () => page.location.hash.replace(/^#?\/?/, '/'),
    subscribe(listener) {
      listeners.add(listener);
      page.addEventListener('hashchange', listener);
      return () => {
        listeners.delete(listener);
        page.removeEventListener('hashchange', listener);
      };
    },
    go(address, { replace = false } = {}) {
      page.history[replace ? 'replaceState' : 'pushState'](null, '', `#${address}`);
      for (const listener of listeners) listener();
    },
  };
}

export function pathOf(address: string): string {
  return address.split('?', 1)[0] ?? '';
}

export function queryOf(address: string): string {
  return address.split('?').slice(1).join('?');
}
