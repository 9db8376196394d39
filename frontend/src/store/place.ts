/** Which of the two views is asked for, by the address: mails link to the preferences. */
import type { Observable } from './observable';

export type Place = 'orders' | 'preferences';

export const preferencesAddress = '#/preferences';
export const ordersAddress = '#/';

export function place(page: Window): Observable<Place> {
  return {
    getSnapshot: () => (page.location.hash === preferencesAddress ? 'preferences' : 'orders'),
    subscribe(listener) {
      page.addEventListener('hashchange', listener);
      return () => page.removeEventListener('hashchange', listener);
    },
  };
}
