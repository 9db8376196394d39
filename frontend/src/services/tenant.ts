/** The client of the business's settings. */
import { parseTenant, type Tenant, type TenantSettings } from '../model/tenant';
import { api } from '../paths';
import { type Ask, sending } from './authorized';
import { readJSON } from './problem';

export interface TenantClient {
  load(): Promise<Tenant>;
  /** Changes them if they still have the version; 412 if they were changed since. */
  save(settings: TenantSettings, version: number): Promise<Tenant>;
}

/** The address is the same for every business, so a response in this browser's cache may be another business's. */
const fresh: RequestInit = { cache: 'no-store' };

export function tenantClient(ask: Ask): TenantClient {
  return {
    load: async () => parseTenant(await readJSON(await ask(api.tenant, fresh))),
    async save({ locale, currency, timeZone }, version) {
      const headers = { 'If-Match': `"${String(version)}"` };
      const request = sending('PATCH', { locale, currency, time_zone: timeZone }, headers);
      return parseTenant(await readJSON(await ask(api.tenant, request)));
    },
  };
}
