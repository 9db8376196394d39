/** The client of the user's own preferences. */
import { type Account, type Preferences, parseAccount, wirePreferences } from '../model/preferences';
import { api } from '../paths';
import { type Ask, sending } from './authorized';
import { readJSON } from './problem';

export interface PreferencesClient {
  load(): Promise<Account>;
  /** Changes them if they still have the version; 412 if they were changed since. */
  save(preferences: Preferences, version: number): Promise<Account>;
}

/** The address is the same for every user, so a response in this browser's cache may be another user's. */
const fresh: RequestInit = { cache: 'no-store' };

export function preferencesClient(ask: Ask): PreferencesClient {
  return {
    load: async () => parseAccount(await readJSON(await ask(api.me, fresh))),
    async save(preferences, version) {
      const headers = { 'If-Match': `"${String(version)}"` };
      const request = sending('PATCH', wirePreferences(preferences), headers);
      return parseAccount(await readJSON(await ask(api.preferences, request)));
    },
  };
}
