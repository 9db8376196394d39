/** The business's users while an owner or manager looks at them. */
import { t } from '../i18n/words';
import { messageOf, Problem } from '../services/problem';
import type { StaffClient, StaffUser } from '../services/staff';
import { announcer, type Observable } from './observable';

export type StaffState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'ready'; readonly users: readonly StaffUser[] };

export interface StaffStore extends Observable<StaffState> {
  load(): Promise<void>;
  /** Makes a change and reads the users again. Returns why it was refused, or "". */
  make(change: (client: StaffClient) => Promise<void>): Promise<string>;
}

export function staffStore(client: StaffClient): StaffStore {
  const { subscribe, announce } = announcer();
  let state: StaffState = { kind: 'loading' };

  return {
    subscribe,
    getSnapshot: () => state,
    load,
    async make(change) {
      try {
        await change(client);
        await load();
        return '';
      } catch (err) {
        if (err instanceof Problem && [404, 412].includes(err.status)) await load();
        return refusalOf(err);
      }
    },
  };

  async function load(): Promise<void> {
    try {
      become({ kind: 'ready', users: await client.load() });
    } catch (err) {
      become({ kind: 'failed', message: messageOf(err) });
    }
  }

  function become(next: StaffState): void {
    state = next;
    announce();
  }
}

/** Why a change was refused, in the user's language where the reason is one of everyday. */
function refusalOf(err: unknown): string {
  if (!(err instanceof Problem)) return messageOf(err);
  const field = err.errors[0]?.field;
  if (err.status === 412 || err.status === 404) return t('staff.overtaken');
  if (err.status === 409 && field === 'roles') return t('staff.lastOwner');
  if (err.status === 409 && field === 'email') return t('staff.taken');
  if (err.status === 429) return t('staff.tooSoon');
  return err.message;
}
