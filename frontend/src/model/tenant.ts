/** The business and its settings, as user-api keeps them. */
import { currency, fields, integer, optionalText, text } from './wire';

export interface Tenant {
  readonly tenantId: string;
  readonly name: string;
  /** BCP 47: of the mails, and of the page until a user chooses another. */
  readonly locale: string;
  /** ISO 4217: the currency of orders that name no other. */
  readonly currency: string;
  /** Of the IANA database: the clock by which the business's days begin. */
  readonly timeZone: string;
  readonly version: number;
}

export type TenantSettings = Pick<Tenant, 'locale' | 'currency' | 'timeZone'>;

export function parseTenant(value: unknown, where = 'tenant'): Tenant {
  const of = fields(value, where);
  return {
    tenantId: text(of, 'tenant_id', where),
    name: text(of, 'name', where),
    locale: optionalText(of, 'locale', where) || 'en',
    currency: currency(of, where),
    timeZone: optionalText(of, 'time_zone', where) || 'UTC',
    version: integer(of, 'version', where, 1),
  };
}
