/** The page's state outside React: the session, and its feed. */
import { t } from '../i18n/words';
import type { Fetch } from '../services/problem';
import { renewed, type Session, type SessionKeeper, userOf } from '../services/session';
import type { Sharing } from '../services/sharedStream';
import type { SignOuts } from '../services/signOuts';
import { type Feed, openFeed } from './feed';
import type { ListKeeper } from './keptList';
import { alwaysOnline } from './network';
import { announcer, type Observable } from './observable';

export type ClientState =
  | { readonly kind: 'signed_out'; readonly reason: string }
  | { readonly kind: 'signed_in'; readonly session: Session; readonly feed: Feed };

export interface Client extends Observable<ClientState> {
  signIn(session: Session): void;
  signOut(): void;
  close(): void;
}

export interface ClientOptions {
  readonly fetch: Fetch;
  readonly keeper: SessionKeeper;
  readonly origin: string;
  readonly network?: Observable<boolean>;
  /** Gets the same session with a fresh token; undefined if it cannot. */
  readonly renew?: (session: Session) => Promise<Session | undefined>;
  /** Called after the user has signed out here. */
  readonly onSignOut?: (session: Session) => void;
  /** How the tabs of the user share one stream, if they can. */
  readonly sharing?: (name: string) => Sharing | undefined;
  /** Where a session's last list is kept, as long as `isKept` says that the session is. */
  readonly listOf?: (session: Session, isKept: () => boolean) => ListKeeper;
  readonly signOuts?: SignOuts;
}

export function openClient({
  fetch,
  keeper,
  origin,
  network = alwaysOnline,
  renew: renewSession = (session) => renewed(fetch, session),
  onSignOut,
  sharing,
  listOf,
  signOuts,
}: ClientOptions): Client {
  const { subscribe, announce } = announcer();
  let state: ClientState = { kind: 'signed_out', reason: '' };
  let list: ListKeeper | undefined;

  signOuts?.onHear((name) => {
    if (state.kind === 'signed_in' && nameOf(state.session) === name) leave('');
  });
  const kept = keeper.load();
  if (kept !== undefined) signIn(kept);

  return {
    subscribe,
    getSnapshot: () => state,
    signIn,
    signOut() {
      const session = state.kind === 'signed_in' ? state.session : undefined;
      leave('');
      if (session === undefined) return;
      signOuts?.tell(nameOf(session));
      onSignOut?.(session);
    },
    close() {
      if (state.kind === 'signed_in') state.feed.close();
    },
  };

  function signIn(session: Session): void {
    if (state.kind === 'signed_in') {
      state.feed.close();
      if (!isSame(state.session, session)) list?.clear();
    }
    keeper.save(session);
    list = listOf?.(session, () => isSame(keeper.load(), session));
    let current = session;
    let renewing: Promise<boolean> | undefined;
    const feed = openFeed({
      fetch,
      origin,
      network,
      kept: list,
      sharing: sharing?.(nameOf(session)),
      userId: userOf(session.token),
      onRevoked: session.by === 'device' ? () => endOf(feed, ended(session)) : undefined,
      credentials: {
        token: () => current.token,
        // One renewal at a time: the stream and a call may detect an expired token at the same time.
        renew() {
          renewing ??= renew().finally(() => {
            renewing = undefined;
          });
          return renewing;
        },
      },
    });
    feed.connection.subscribe(() => {
      const connection = feed.connection.getSnapshot();
      if (connection.kind !== 'closed') return;
      if (connection.reason === 'unauthorized') endOf(feed, ended(session));
      if (connection.reason === 'forbidden') endOf(feed, t('signIn.forbidden'));
    });
    state = { kind: 'signed_in', session, feed };
    announce();

    async function renew(): Promise<boolean> {
      try {
        const fresh = await renewSession(current);
        if (fresh === undefined || fresh.token === current.token) return false;
        current = fresh;
        if (state.kind === 'signed_in' && state.feed === feed) keeper.save(fresh);
        return true;
      } catch {
        return false; // no response: the caller fails with its own error
      }
    }
  }

  function endOf(feed: Feed, reason: string): void {
    if (state.kind === 'signed_in' && state.feed === feed) leave(reason);
  }

  function leave(reason: string): void {
    if (state.kind === 'signed_in') state.feed.close();
    list?.clear();
    keeper.clear();
    state = { kind: 'signed_out', reason };
    announce();
  }
}

function isSame(a: Session | undefined, b: Session): boolean {
  return a?.tenantId === b.tenantId && a.email === b.email;
}

/** The message when the token is no longer valid. */
function ended({ by }: Session): string {
  return t(by === 'device' ? 'signIn.revoked' : 'signIn.ended');
}

/** The same for all tabs of one user. */
function nameOf({ tenantId, email }: Session): string {
  return `${tenantId} ${email}`;
}
