import { createContext, use, useMemo, useSyncExternalStore } from 'react';
import { type Place, pathOf, place, queryOf } from '../store/place';

export const PlaceContext = createContext<Place>(place(window));

/** The hook that wouter's Router takes: the path, and how to go to another. */
export function useHashPath(): [string, (to: string, options?: { readonly replace?: boolean }) => void] {
  const here = use(PlaceContext);
  const path = useSyncExternalStore(here.subscribe, () => pathOf(here.getSnapshot()));
  return [path, here.go];
}
useHashPath.hrefs = (href: string) => `#${href}`;

/** The address's query, and how to change some of it: undefined or "" removes a name. */
export function useQuery(): [
  URLSearchParams,
  (change: Readonly<Record<string, string | undefined>>) => void,
] {
  const here = use(PlaceContext);
  const query = useSyncExternalStore(here.subscribe, () => queryOf(here.getSnapshot()));
  const params = useMemo(() => new URLSearchParams(query), [query]);
  return [
    params,
    (change) => {
      const next = new URLSearchParams(queryOf(here.getSnapshot()));
      for (const [name, value] of Object.entries(change)) {
        if (value === undefined || value === '') next.delete(name);
        else next.set(name, value);
      }
      const text = next.toString();
      here.go(pathOf(here.getSnapshot()) + (text === '' ? '' : `?${text}`), { replace: true });
    },
  ];
}
