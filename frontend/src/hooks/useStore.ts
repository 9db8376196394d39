import { useSyncExternalStore } from 'react';
import type { Observable } from '../store/observable';

/** The one way components watch what lives outside React. */
export function useStore<T>(store: Observable<T>): T {
  return useSyncExternalStore(store.subscribe, store.getSnapshot);
}
