/** The client of the business's paired tills and screens. */
import type { Role } from '../model/order';
import { fields, flag, list, oneOf, optionalText, text, time } from '../model/wire';
import { api } from '../paths';
import { type Ask, sending } from './authorized';
import { readJSON } from './problem';

/** The roles that a device may have: neither owner nor manager. */
export const deviceRoles = ['cashier', 'kitchen', 'viewer'] as const satisfies readonly Role[];
export type DeviceRole = (typeof deviceRoles)[number];

export interface PairedDevice {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly role: DeviceRole;
  /** Milliseconds since 1970, as all times here. */
  readonly pairedAt: number;
  /** The name of a user; "" if it is not known. */
  readonly pairedBy: string;
  /** While its page is open. */
  readonly connectedSince: number | undefined;
  /** undefined before it was used. */
  readonly lastSeenAt: number | undefined;
}

export interface DeviceClient {
  /** All devices that are not revoked, by name. */
  load(): Promise<PairedDevice[]>;
  /** Pairs the till that shows the code. */
  approve(approval: {
    readonly code: string;
    readonly name: string;
    readonly role: DeviceRole;
  }): Promise<void>;
  revoke(device: PairedDevice): Promise<void>;
}

export function deviceClient(ask: Ask): DeviceClient {
  return {
    async load() {
      const answer = fields(await readJSON(await ask(api.devices, { cache: 'no-store' })), 'answer');
      return list(answer['devices'], 'answer.devices', parseDevice);
    },
    approve: async ({ code, name, role }) =>
      void (await ask(api.devices, sending('POST', { user_code: code, name, role }))),
    revoke: async ({ id }) => void (await ask(api.device(id), { method: 'DELETE' })),
  };
}

export function parseDevice(value: unknown, where: string): PairedDevice {
  const of = fields(value, where);
  const optionalTime = (field: string) => (of[field] === undefined ? undefined : time(of, field, where));
  return {
    id: text(of, 'device_id', where),
    tenantId: text(of, 'tenant_id', where),
    name: text(of, 'name', where),
    role: oneOf(deviceRoles, of['role'], `${where}.role`),
    pairedAt: time(of, 'paired_at', where),
    pairedBy: optionalText(of, 'paired_by', where),
    connectedSince: flag(of, 'connected', where) ? optionalTime('connected_since') : undefined,
    lastSeenAt: optionalTime('last_seen_at'),
  };
}
