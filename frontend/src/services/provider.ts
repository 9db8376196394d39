/**
 * Sign-in with OpenID Connect: authorization code with PKCE, with oidc-client-ts, which is loaded when it is needed. The page
 * never reads the access token: /api/me returns the user and their roles.
 *
 * Tokens are stored for this tab, or, if the user stays signed in on this till, for this browser. Then its tabs share them: one
 * tab renews them, and the others use the result.
 */
import type { User, UserManager } from 'oidc-client-ts';
import { t } from '../i18n/words';
import { fields, optionalText, parseRoles, text } from '../model/wire';
import { api, signedInPath } from '../paths';
import { call, type Fetch, Problem, readJSON } from './problem';
import type { Session } from './session';
import type { ProviderSettings } from './settings';

export interface Provider {
  /** Leaves the page for the provider's, which sends the user back to `signedInPath`. */
  begin(stays: boolean, returnTo: string): Promise<void>;
  /** At `signedInPath`: the session of the user who came back, and where in the page they were. */
  finish(address: string): Promise<{ readonly session: Session; readonly returnTo: string }>;
  /** The same session with a fresh token, or undefined if the user has to sign in again. */
  renew(session: Session): Promise<Session | undefined>;
  /** Revokes the tokens and ends the session on the provider's page. */
  signOut(session: Session): Promise<void>;
}

/** A tab's message to the others of its browser: only one renews at a time, since a refresh token may be valid only once. */
const renewalLock = 'orderbell renewal';

/** A token that ends sooner is not fresh, in seconds. */
const shortestRest = 5;

export function provider(settings: ProviderSettings, fetcher: Fetch, browser: Window): Provider {
  const managers = new Map<boolean, Promise<UserManager>>();
  const origin = browser.location.origin;

  return {
    async begin(stays, returnTo) {
      const manager = await managerOf(stays);
      await manager.signinRedirect({ state: { stays, returnTo } });
    },
    async finish(address) {
      // Whether the user stays is in the state that comes back: until then, the tokens are this tab's.
      const tab = await managerOf(false);
      const user = await tab.signinRedirectCallback(address);
      const { stays, returnTo } = stateOf(user);
      if (stays) {
        await (await managerOf(true)).storeUser(user);
        await tab.storeUser(null);
      }
      try {
        return { session: await sessionOf(user, stays), returnTo };
      } catch (err) {
        await (await managerOf(stays)).removeUser();
        throw err;
      }
    },
    renew: (session) =>
      alone(async () => {
        const manager = await managerOf(session.stays === true);
        const kept = await manager.getUser();
        if (kept === null) return undefined;
        // Another tab may have been faster.
        const isFresh = kept.access_token !== session.token && (kept.expires_in ?? 0) > shortestRest;
        if (isFresh) return { ...session, token: kept.access_token };
        if (kept.refresh_token === undefined) return undefined;
        const fresh = await manager.signinSilent();
        return fresh === null ? undefined : { ...session, token: fresh.access_token };
      }),
    async signOut(session) {
      const manager = await managerOf(session.stays === true);
      try {
        await manager.signoutRedirect();
      } catch {
        await manager.removeUser(); // the provider is unreachable, or cannot end sessions: delete the tokens in this browser
      }
    },
  };

  function managerOf(stays: boolean): Promise<UserManager> {
    let manager = managers.get(stays);
    if (manager === undefined) {
      manager = openManager(stays);
      manager.catch(() => managers.delete(stays)); // its script could not be loaded: try again later
      managers.set(stays, manager);
    }
    return manager;
  }

  async function openManager(stays: boolean): Promise<UserManager> {
    const { UserManager, WebStorageStateStore } = await import('oidc-client-ts');
    const prefix = 'orderbell.oidc.';
    return new UserManager({
      authority: settings.issuer,
      client_id: settings.clientId,
      redirect_uri: origin + signedInPath,
      post_logout_redirect_uri: `${origin}/`,
      scope: settings.scope,
      extraQueryParams: { ...settings.params },
      automaticSilentRenew: false, // the stream says when a token ends
      loadUserInfo: false,
      revokeTokensOnSignout: true,
      stateStore: new WebStorageStateStore({ store: browser.sessionStorage, prefix }),
      userStore: new WebStorageStateStore({
        store: stays ? browser.localStorage : browser.sessionStorage,
        prefix,
      }),
    });
  }

  async function sessionOf(user: User, stays: boolean): Promise<Session> {
    return accountSession(fetcher, user.access_token, { by: 'provider', ...(stays ? { stays } : {}) });
  }

  function alone<T>(work: () => Promise<T>): Promise<T> {
    const locks: LockManager | undefined = browser.navigator.locks; // not on plain http beyond localhost
    return locks === undefined ? work() : locks.request(renewalLock, work);
  }
}

function stateOf(user: User): { readonly stays: boolean; readonly returnTo: string } {
  const state = (user.state ?? {}) as { readonly stays?: unknown; readonly returnTo?: unknown };
  return {
    stays: state.stays === true,
    returnTo: typeof state.returnTo === 'string' && state.returnTo.startsWith('/') ? state.returnTo : '/',
  };
}

/** The session of the user whom user-api knows by the token. */
async function accountSession(
  fetcher: Fetch,
  token: string,
  how: Pick<Session, 'by' | 'stays'>,
): Promise<Session> {
  const headers = { Accept: 'application/json', Authorization: `Bearer ${token}` };
  let response: Response;
  try {
    response = await call(fetcher, api.me, { headers });
  } catch (err) {
    if (err instanceof Problem && [403, 404].includes(err.status)) throw new Error(t('signIn.noUser'));
    throw err;
  }
  const me = fields(await readJSON(response), 'me');
  const tenant = me['tenant'] === undefined ? {} : fields(me['tenant'], 'me.tenant');
  const tenantId = text(me, 'tenant_id', 'me');
  const email = optionalText(me, 'email', 'me');
  return {
    token,
    tenantId,
    tenantName: optionalText(tenant, 'name', 'me.tenant') || tenantId,
    email,
    name: optionalText(me, 'name', 'me') || email,
    roles: parseRoles(me['roles']),
    currency: optionalText(tenant, 'currency', 'me.tenant'),
    ...how,
  };
}
