/** Who uses this page: demo users with ready-made tokens in development, a pasted token elsewhere. */
import { t } from '../i18n/words';
import { type Role, roles } from '../model/order';
import { fields, list, optionalText, parseRoles, text } from '../model/wire';
import { api } from '../paths';
import { call, type Fetch, Problem, readJSON } from './problem';

export interface Session {
  readonly token: string;
  readonly tenantId: string;
  readonly tenantName: string;
  readonly name: string;
  readonly email: string;
  readonly roles: readonly Role[];
  /** The business's currency; "" if unknown. */
  readonly currency: string;
  /** Where a new token comes from: the identity provider, or `orderbell dev`. A paired device's token needs no renewal. */
  readonly by?: 'provider' | 'device';
  /** Kept for this browser, not only for this tab. */
  readonly stays?: true;
}

/** How the tokens of devices begin: orderbell-device.TENANT.ID.SECRET (docs/adr/0018). */
const devicePrefix = 'orderbell-device.';

/** The demo users, or undefined where this is not `orderbell dev`. */
export async function demoUsers(fetcher: Fetch, signal?: AbortSignal): Promise<Session[] | undefined> {
  const headers = { Accept: 'application/json' };
  let response: Response;
  try {
    response = await call(fetcher, api.demoUsers, signal === undefined ? { headers } : { headers, signal });
  } catch (err) {
    if (err instanceof Problem && err.status === 404) return undefined;
    throw err;
  }
  // A static host may answer every unknown path with index.html.
  if (!(response.headers.get('Content-Type') ?? '').startsWith('application/json')) return undefined;
  return list(await readJSON(response), 'users', parseSession);
}

/** The same user with a new token, or undefined if this origin cannot provide one. */
export async function renewed(fetcher: Fetch, session: Session): Promise<Session | undefined> {
  if (session.by === 'device') return undefined; // its token does not expire: it was revoked
  const users = (await demoUsers(fetcher)) ?? [];
  return users.find((user) => user.tenantId === session.tenantId && user.email === session.email);
}

/**
 * Reads a JWT's claims for display. Only the server verifies it. A wrong claim can only show or hide a button.
 */
export function sessionFromToken(pasted: string): Session {
  const token = pasted.trim().replace(/^Bearer\s+/i, '');
  const [, payload = '', signature = ''] = token.split('.');
  if (payload === '' || signature === '' || /\s/.test(token)) {
    throw new Error(t('token.shape'));
  }
  let claims: ReturnType<typeof fields>;
  try {
    claims = fields(JSON.parse(fromBase64URL(payload)), 'claims');
  } catch {
    throw new Error(t('token.payload'));
  }
  const tenantId = text(claims, 'tenant_id', 'claims');
  const email = optionalText(claims, 'email', 'claims');
  return {
    token,
    tenantId,
    tenantName: optionalText(claims, 'tenant_name', 'claims') || tenantId,
    email,
    name: optionalText(claims, 'name', 'claims') || email || text(claims, 'sub', 'claims'),
    // If the provider has other names for roles, every button is shown and the server decides.
    roles: claims['roles'] === undefined ? roles : parseRoles(claims['roles']),
    currency: '',
  };
}

/** The id of the user or device of a token, for comparison with events' actors; "" if it cannot be read. */
export function userOf(token: string): string {
  if (token.startsWith(devicePrefix)) return token.split('.').at(-2) ?? '';
  try {
    return optionalText(
      fields(JSON.parse(fromBase64URL(token.split('.')[1] ?? '')), 'claims'),
      'sub',
      'claims',
    );
  } catch {
    return ''; // not a JWT: the server decides what it is
  }
}

export function parseSession(value: unknown, where: string): Session {
  const of = fields(value, where);
  const email = optionalText(of, 'email', where);
  const tenantId = text(of, 'tenant_id', where);
  return {
    token: text(of, 'token', where),
    tenantId,
    tenantName: optionalText(of, 'tenant_name', where) || tenantId,
    email,
    name: optionalText(of, 'name', where) || email,
    roles: parseRoles(of['roles']),
    currency: optionalText(of, 'currency', where),
    ...(of['by'] === 'provider' || of['by'] === 'device' ? { by: of['by'] } : {}),
    ...(of['stays'] === true ? { stays: true } : {}),
  };
}

/**
 * Keeps a session across reloads of this tab only, so that two tabs can be two users. If the user stays signed in, the session is
 * kept for the browser, for every tab without a session of its own.
 */
export interface SessionKeeper {
  load(): Session | undefined;
  save(session: Session): void;
  clear(): void;
}

const storageKey = 'orderbell.session';

/** Under which name a tab keeps the code that it shows until a manager approves it. */
export const pairingKey = 'orderbell.pairing';

export function keepIn(tab: Storage, browser: Storage = tab): SessionKeeper {
  return {
    load: () => loadFrom(tab) ?? loadFrom(browser),
    save(session) {
      const { tenantId: tenant_id, tenantName: tenant_name, ...same } = session;
      if (session.stays === true) tab.removeItem(storageKey);
      const storage = session.stays === true ? browser : tab;
      storage.setItem(storageKey, JSON.stringify({ tenant_id, tenant_name, ...same }));
    },
    clear() {
      // Only the session that this tab showed: a tab of another user must not sign the till out.
      (tab.getItem(storageKey) === null ? browser : tab).removeItem(storageKey);
    },
  };
}

function loadFrom(storage: Storage): Session | undefined {
  const kept = storage.getItem(storageKey);
  if (kept === null) return undefined;
  try {
    return parseSession(JSON.parse(kept), 'session');
  } catch {
    storage.removeItem(storageKey); // written by another version of this page
    return undefined;
  }
}

function fromBase64URL(encoded: string): string {
  const bytes = atob(encoded.replaceAll('-', '+').replaceAll('_', '/'));
  return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0)));
}
