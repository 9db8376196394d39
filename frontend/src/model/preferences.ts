/** What a person wants to be told of, as user-api keeps it. */
import type { Role } from './order';
import {
  type EventType,
  fields,
  flag,
  integer,
  isEventType,
  list,
  optionalText,
  parseRoles,
  text,
} from './wire';

export interface Preferences {
  readonly emailEnabled: boolean;
  readonly inAppEnabled: boolean;
  /** Of which events, while the channel is enabled. */
  readonly emailEvents: readonly EventType[];
  readonly inAppEvents: readonly EventType[];
  /** Of the IANA database. */
  readonly timeZone: string;
  /** 22:00-07:00 by that zone's clock: no e-mail comes then, but behind; "" for none. */
  readonly quietHours: string;
}

/** Somebody's preferences, the address that mails go to, and the version that a change is meant for. */
export interface Account {
  readonly email: string;
  readonly roles: readonly Role[];
  readonly version: number;
  readonly preferences: Preferences;
}

export function parseAccount(value: unknown): Account {
  const of = fields(value, 'user');
  return {
    email: text(of, 'email', 'user'),
    roles: parseRoles(of['roles']),
    version: integer(of, 'version', 'user', 1),
    preferences: {
      emailEnabled: flag(of, 'notification_email_enabled', 'user'),
      inAppEnabled: flag(of, 'notification_in_app_enabled', 'user'),
      emailEvents: events(of['notification_email_events'], 'user.notification_email_events'),
      inAppEvents: events(of['notification_in_app_events'], 'user.notification_in_app_events'),
      timeZone: text(of, 'time_zone', 'user'),
      quietHours: optionalText(of, 'quiet_hours', 'user'),
    },
  };
}

/** Whether anybody with these roles is told of such events at all, whatever they choose. */
export function concerns(type: EventType, roles: readonly Role[]): boolean {
  const told: readonly Role[] =
    type === 'order_paid' ? ['owner', 'manager', 'cashier'] : ['owner', 'manager', 'cashier', 'kitchen'];
  return roles.some((role) => told.includes(role));
}

/** The body of PATCH /api/me/preferences. */
export function wirePreferences(p: Preferences): Record<string, unknown> {
  return {
    notification_email_enabled: p.emailEnabled,
    notification_in_app_enabled: p.inAppEnabled,
    notification_email_events: p.emailEvents,
    notification_in_app_events: p.inAppEvents,
    time_zone: p.timeZone,
    quiet_hours: p.quietHours,
  };
}

/** Events that this page does not know are left out: a newer server may have some. */
function events(value: unknown, where: string): EventType[] {
  return list(value, where, (item) => (typeof item === 'string' ? item : '')).filter(isEventType);
}
