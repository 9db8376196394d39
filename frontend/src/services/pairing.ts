/** How a till without a user gets a token: it shows a code, and polls until a manager has approved it (docs/adr/0018). */
import { fields, integer, oneOf, text } from '../model/wire';
import { api } from '../paths';
import { sending } from './authorized';
import { parseDevice } from './devices';
import { call, type Fetch, Problem, readJSON } from './problem';
import { pairingKey, type Session } from './session';

export interface BegunPairing {
  /** The secret of this till: it goes into requests and nowhere else. */
  readonly deviceCode: string;
  /** What the till shows. */
  readonly userCode: string;
  /** Milliseconds since 1970, by this till's clock. */
  readonly endsAt: number;
  /** Milliseconds between two polls. */
  readonly interval: number;
}

export type PairingAnswer =
  | { readonly kind: 'pending' }
  | { readonly kind: 'approved'; readonly session: Session }
  /** It has expired, or the device was revoked at once. */
  | { readonly kind: 'gone' };

export interface PairingClient {
  begin(signal: AbortSignal): Promise<BegunPairing>;
  ask(begun: BegunPairing, signal: AbortSignal): Promise<PairingAnswer>;
}

export function pairingClient(fetcher: Fetch, now: () => number = Date.now): PairingClient {
  return {
    async begin(signal) {
      const asked = now();
      const of = fields(await post(api.pairings, undefined, signal), 'pairing');
      return {
        deviceCode: text(of, 'device_code', 'pairing'),
        userCode: text(of, 'user_code', 'pairing'),
        endsAt: asked + integer(of, 'expires_in', 'pairing', 1) * 1000,
        interval: integer(of, 'interval', 'pairing', 1) * 1000,
      };
    },
    async ask({ deviceCode }, signal) {
      try {
        return parseAnswer(await post(api.pairingState, { device_code: deviceCode }, signal));
      } catch (err) {
        if (err instanceof Problem && err.status === 404) return { kind: 'gone' };
        throw err;
      }
    },
  };

  async function post(path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    const { headers, ...request } = sending('POST', body);
    return readJSON(
      await call(fetcher, path, {
        ...request,
        headers: { Accept: 'application/json', ...(headers as Record<string, string>) },
        signal,
      }),
    );
  }
}

function parseAnswer(answer: unknown): PairingAnswer {
  const of = fields(answer, 'pairing');
  const kind = oneOf(['pending', 'approved'], of['state'], 'pairing.state');
  if (kind === 'pending') return { kind };
  const device = parseDevice(of['device'], 'pairing.device');
  return {
    kind,
    session: {
      token: text(of, 'token', 'pairing'),
      tenantId: device.tenantId,
      tenantName: text(of, 'tenant_name', 'pairing'),
      name: device.name,
      email: '',
      roles: [device.role],
      currency: '',
      by: 'device',
      stays: true,
    },
  };
}

/** Keeps a pairing across reloads of this tab until its code expires. */
export interface PairingKeeper {
  load(): BegunPairing | undefined;
  save(begun: BegunPairing): void;
  clear(): void;
}

export function keepPairingIn(tab: Storage, now: () => number = Date.now): PairingKeeper {
  return {
    load() {
      try {
        const of = fields(JSON.parse(tab.getItem(pairingKey) ?? ''), 'pairing');
        const begun = {
          deviceCode: text(of, 'deviceCode', 'pairing'),
          userCode: text(of, 'userCode', 'pairing'),
          endsAt: integer(of, 'endsAt', 'pairing', 0),
          interval: integer(of, 'interval', 'pairing', 1),
        };
        if (begun.endsAt > now()) return begun;
      } catch {
        // Nothing is kept, or another version of this page wrote it.
      }
      tab.removeItem(pairingKey);
      return undefined;
    },
    save: (begun) => tab.setItem(pairingKey, JSON.stringify(begun)),
    clear: () => tab.removeItem(pairingKey),
  };
}
