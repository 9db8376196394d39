/** A user's preferences while they are edited: as the server has them, and as they are typed. */
import { t } from '../i18n/words';
import type { Account, Preferences } from '../model/preferences';
import type { PreferencesClient } from '../services/preferences';
import { messageOf, Problem } from '../services/problem';
import { announcer, type Observable } from './observable';

export type PreferencesState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'failed'; readonly message: string }
  | {
      readonly kind: 'ready';
      readonly account: Account;
      readonly draft: Preferences;
      readonly saving: Saving;
    };

export type Saving =
  | { readonly kind: 'idle' }
  | { readonly kind: 'working' }
  | { readonly kind: 'saved' }
  | { readonly kind: 'failed'; readonly message: string };

export interface PreferencesStore extends Observable<PreferencesState> {
  load(): Promise<void>;
  edit(change: Partial<Preferences>): void;
  save(): Promise<void>;
}

export function preferencesStore(client: PreferencesClient): PreferencesStore {
  const { subscribe, announce } = announcer();
  let state: PreferencesState = { kind: 'loading' };

  return {
    subscribe,
    getSnapshot: () => state,
    load() {
      become({ kind: 'loading' }); // drop unsaved changes now, not while the user types
      return load({ kind: 'idle' });
    },
    edit(change) {
      if (state.kind !== 'ready' || state.saving.kind === 'working') return;
      become({ ...state, draft: { ...state.draft, ...change }, saving: { kind: 'idle' } });
    },
    async save() {
      if (state.kind !== 'ready' || state.saving.kind === 'working') return;
      const { account, draft } = state;
      become({ ...state, saving: { kind: 'working' } });
      try {
        show(await client.save(draft, account.version), { kind: 'saved' });
      } catch (err) {
        if (err instanceof Problem && err.status === 412) {
          await load({ kind: 'failed', message: t('preferences.overtaken') });
        } else {
          become({ kind: 'ready', account, draft, saving: { kind: 'failed', message: messageOf(err) } });
        }
      }
    },
  };

  async function load(saving: Saving): Promise<void> {
    try {
      show(await client.load(), saving);
    } catch (err) {
      become({ kind: 'failed', message: messageOf(err) });
    }
  }

  function show(account: Account, saving: Saving): void {
    become({ kind: 'ready', account, draft: account.preferences, saving });
  }

  function become(next: PreferencesState): void {
    state = next;
    announce();
  }
}
