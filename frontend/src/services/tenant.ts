/** The client of the business's settings. */
import { parseTenant, type Tenant, type TenantSettings } from '../model/tenant';
import { type Ask, sending } from './authorized';
import { readJSON } from './problem';

export interface TenantClient {
  load(): Promise<Tenant>;
  /** Changes them if they still are at the version; 412 if somebody else has changed them since. */
  save(settings: TenantSettings, version: number): Promise<Tenant>;
}

const address = '/api/tenant';

/** The address is the same for every business: what this browser keeps of it may be another's. */
const fresh: RequestInit = { cache: 'no-store' };

export function tenantClient(ask: Ask): TenantClient {
  return {
    load: async () => parseTenant(await readJSON(await ask(address, fresh))),
    async save({ locale, currency, timeZone }, version) {
      const headers = { 'If-Match': `"${String(version)}"` };
      const request = sending('PATCH', { locale, currency, time_zone: timeZone }, headers);
      return parseTenant(await readJSON(await ask(address, request)));
    },
  };
}
