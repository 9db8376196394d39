import { type Tenant, usualLateAfter } from '../model/tenant';
import type { Observable } from '../store/observable';
import type { TenantState } from '../store/tenant';
import { useStore } from './useStore';

export type Business = Pick<Tenant, 'timeZone' | 'lateAfter'>;

/** The business's clock and its idea of late; until it is loaded, this device's clock and what is usual. */
export function useBusiness(tenant: Observable<TenantState>): Business {
  const state = useStore(tenant);
  if (state.kind === 'ready') return state.tenant;
  return { timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone, lateAfter: usualLateAfter };
}
