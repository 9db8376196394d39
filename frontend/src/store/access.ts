/** How users sign in outside development: with the identity provider of the origin's settings. */
import { signedInPath } from '../paths';
import { messageOf } from '../services/problem';
import type { Provider } from '../services/provider';
import type { Session } from '../services/session';
import { announcer, type Observable } from './observable';

export type AccessState =
  | { readonly kind: 'loading' }
  /** No provider is configured. */
  | { readonly kind: 'none'; readonly tokenBox: boolean }
  | { readonly kind: 'provider'; readonly isLeaving: boolean; readonly problem: string }
  | { readonly kind: 'failed'; readonly message: string };

export interface Access extends Observable<AccessState> {
  load(): void;
  /** Goes to the provider's page. */
  begin(stays: boolean, returnTo: string): void;
  /** If the user has just returned from the provider: the session, and the address in the page. */
  finish(page: Window): Promise<{ readonly session: Session; readonly returnTo: string } | undefined>;
  renew(session: Session): Promise<Session | undefined>;
  signOut(session: Session): Promise<void>;
}

export interface Ways {
  readonly provider: Provider | undefined;
  readonly tokenBox: boolean;
}

/** `open` returns the ways to sign in that the origin's settings name. */
export function access(open: () => Promise<Ways>): Access {
  const { subscribe, announce } = announcer();
  let state: AccessState = { kind: 'loading' };
  let opened: Promise<Ways> | undefined;

  return {
    subscribe,
    getSnapshot: () => state,
    load: () => void load(),
    begin: (stays, returnTo) => void begin(stays, returnTo),
    async finish(page) {
      const { pathname, href } = page.location;
      if (pathname !== signedInPath) return undefined;
      // A reload must not use the code again.
      page.history.replaceState(null, '', '/#/');
      try {
        return await (await provider())?.finish(href);
      } catch (err) {
        become({ kind: 'provider', isLeaving: false, problem: messageOf(err) });
        return undefined;
      }
    },
    renew: async (session) => (await provider())?.renew(session),
    signOut: async (session) => (await provider())?.signOut(session),
  };

  async function provider(): Promise<Provider | undefined> {
    return (await ways()).provider;
  }

  function ways(): Promise<Ways> {
    opened ??= open().catch((err: unknown) => {
      opened = undefined; // the settings may be available next time
      throw err;
    });
    return opened;
  }

  async function load(): Promise<void> {
    if (state.kind === 'provider') return;
    try {
      const found = await ways();
      become(
        found.provider === undefined
          ? { kind: 'none', tokenBox: found.tokenBox }
          : { kind: 'provider', isLeaving: false, problem: '' },
      );
    } catch (err) {
      become({ kind: 'failed', message: messageOf(err) });
    }
  }

  async function begin(stays: boolean, returnTo: string): Promise<void> {
    become({ kind: 'provider', isLeaving: true, problem: '' });
    try {
      await (await provider())?.begin(stays, returnTo);
    } catch (err) {
      become({ kind: 'provider', isLeaving: false, problem: messageOf(err) });
    }
  }

  function become(next: AccessState): void {
    state = next;
    announce();
  }
}
