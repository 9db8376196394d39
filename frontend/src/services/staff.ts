/** The client of the business's users, for owners and managers. */
import type { Role } from '../model/order';
import { fields, list, optionalText, parseRoles, text, WireError } from '../model/wire';
import { api } from '../paths';
import { type Ask, sending } from './authorized';
import { readJSON } from './problem';

/** Whether the user's address is confirmed: before that it gets no mails about orders. */
export type EmailState = 'confirmed' | 'invited' | 'expired';

export interface StaffUser {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly roles: readonly Role[];
  readonly emailState: EmailState;
  readonly version: number;
}

export interface StaffClient {
  /** All users, in the order in which they were added. */
  load(): Promise<StaffUser[]>;
  /** Adds a user, whose address gets a mail that asks for its confirmation. */
  add(user: {
    readonly email: string;
    readonly name: string;
    readonly roles: readonly Role[];
  }): Promise<void>;
  /** Changes the roles if the user's version is still the same; 412 if not. */
  changeRoles(user: StaffUser, roles: readonly Role[]): Promise<void>;
  /** Sends the confirmation mail once more. */
  invite(user: StaffUser): Promise<void>;
  remove(user: StaffUser): Promise<void>;
}

export function staffClient(ask: Ask): StaffClient {
  return {
    async load() {
      const all: StaffUser[] = [];
      let cursor = '';
      do {
        const query = cursor === '' ? '' : `?cursor=${encodeURIComponent(cursor)}`;
        const page = fields(await readJSON(await ask(`${api.users}${query}`, { cache: 'no-store' })), 'page');
        all.push(...list(page['users'], 'page.users', parseUser));
        cursor = optionalText(page, 'next_cursor', 'page');
      } while (cursor !== '');
      return all;
    },
    add: async (user) => void (await ask(api.users, sending('POST', user))),
    changeRoles: async (user, roles) =>
      void (await ask(api.user(user.id), sending('PATCH', { roles }, ifSame(user)))),
    invite: async (user) => void (await ask(api.invitation(user.id), sending('POST'))),
    remove: async (user) => void (await ask(api.user(user.id), { method: 'DELETE', headers: ifSame(user) })),
  };
}

function ifSame(user: StaffUser): Record<string, string> {
  return { 'If-Match': `"${String(user.version)}"` };
}

function parseUser(value: unknown, where: string): StaffUser {
  const of = fields(value, where);
  const version = of['version'];
  if (typeof version !== 'number') throw new WireError(`${where}.version is missing, want a number`);
  const state = optionalText(of, 'email_state', where);
  return {
    id: text(of, 'user_id', where),
    email: text(of, 'email', where),
    name: optionalText(of, 'name', where),
    roles: parseRoles(of['roles']),
    emailState: state === 'confirmed' || state === 'expired' ? state : 'invited',
    version,
  };
}
