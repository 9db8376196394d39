import { useMemo } from 'react';
import { type View, views } from '../components/ListHead';
import { type Filter, filters, type Sort, sorts } from '../model/listing';
import type { Role } from '../model/order';
import { type Period, periodOf } from '../model/period';
import { useQuery } from './usePlace';

export interface ListAddress {
  readonly filter: Filter;
  readonly sort: Sort;
  readonly view: View;
  readonly period: Period;
  /** As typed. */
  readonly search: string;
  /** Changes the address's query. */
  readonly change: (change: Readonly<Record<string, string | undefined>>) => void;
}

/** The list's settings in the address. For kitchens the default is oldest first. */
export function useListAddress(roles: readonly Role[]): ListAddress {
  const [query, change] = useQuery();
  const kitchenOnly = roles.length > 0 && roles.every((role) => role === 'kitchen');
  return {
    filter: filters.find((one) => one === query.get('state')) ?? 'active',
    sort: sorts.find((one) => one === query.get('sort')) ?? (kitchenOnly ? 'oldest' : 'newest'),
    view: views.find((one) => one === query.get('view')) ?? 'cards',
    period: useMemo(() => periodOf(query), [query]),
    search: query.get('q') ?? '',
    change,
  };
}
