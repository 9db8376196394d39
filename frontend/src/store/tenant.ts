/** The business that the user belongs to. */
import type { Tenant, TenantSettings } from '../model/tenant';
import { messageOf } from '../services/problem';
import type { TenantClient } from '../services/tenant';
import { announcer, type Observable } from './observable';

export type TenantState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'ready'; readonly tenant: Tenant };

export interface TenantStore extends Observable<TenantState> {
  load(): void;
  /** Throws if the server refuses. */
  save(settings: TenantSettings): Promise<void>;
}

export function tenantStore(client: TenantClient): TenantStore {
  const { subscribe, announce } = announcer();
  let state: TenantState = { kind: 'loading' };
  let version = 0;

  return {
    subscribe,
    getSnapshot: () => state,
    load: () => void load(),
    async save(settings) {
      show(await client.save(settings, version));
    },
  };

  async function load(): Promise<void> {
    try {
      show(await client.load());
    } catch (err) {
      if (state.kind === 'ready') return; // the known settings stay until the server sends others
      state = { kind: 'failed', message: messageOf(err) };
      announce();
    }
  }

  function show(tenant: Tenant): void {
    version = tenant.version;
    state = { kind: 'ready', tenant };
    announce();
  }
}
