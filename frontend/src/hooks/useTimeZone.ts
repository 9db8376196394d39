import { deviceZone } from '../model/zone';
import type { Observable } from '../store/observable';
import type { TenantState } from '../store/tenant';
import { useStore } from './useStore';

/** The business's time zone, of the IANA database; until it is loaded, this device's. */
export function useTimeZone(tenant: Observable<TenantState>): string {
  const state = useStore(tenant);
  return state.kind === 'ready' ? state.tenant.timeZone : deviceZone() || 'UTC';
}
