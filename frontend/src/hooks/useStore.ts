import { useSyncExternalStore } from 'react';
import type { Observable } from '../store/observable';

/** Subscribes a component to a store outside React. */
export function useStore<T>(store: Observable<T>): T {
  return useSyncExternalStore(store.subscribe, store.getSnapshot);
}
