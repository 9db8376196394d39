/** The demo users of `orderbell dev`, which the sign-in page and the account menu offer. */
import { type Fetch, messageOf } from '../services/problem';
import { demoUsers, type Session } from '../services/session';
import { announcer, type Observable } from './observable';

export type DemoUsers =
  | { readonly kind: 'loading' }
  /** Not `orderbell dev`: users need a token. */
  | { readonly kind: 'none' }
  | { readonly kind: 'users'; readonly tenants: readonly Tenant[] }
  | { readonly kind: 'failed'; readonly message: string };

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly users: readonly Session[];
}

export interface DemoUsersStore extends Observable<DemoUsers> {
  load(): void;
}

export function demoUsersStore(fetcher: Fetch): DemoUsersStore {
  const { subscribe, announce } = announcer();
  let state: DemoUsers = { kind: 'loading' };
  void fill();
  return {
    subscribe,
    getSnapshot: () => state,
    load() {
      void fill();
    },
  };

  async function fill(): Promise<void> {
    become({ kind: 'loading' });
    try {
      const users = await demoUsers(fetcher);
      become(
        users === undefined || users.length === 0
          ? { kind: 'none' }
          : { kind: 'users', tenants: byTenant(users) },
      );
    } catch (err) {
      become({ kind: 'failed', message: messageOf(err) });
    }
  }

  function become(next: DemoUsers): void {
    state = next;
    announce();
  }
}

function byTenant(users: readonly Session[]): Tenant[] {
  const tenants = new Map<string, { id: string; name: string; users: Session[] }>();
  for (const user of users) {
    const tenant = tenants.get(user.tenantId);
    if (tenant !== undefined) tenant.users.push(user);
    else tenants.set(user.tenantId, { id: user.tenantId, name: user.tenantName, users: [user] });
  }
  return [...tenants.values()];
}
