/** The notifications and mails that a user wants, as stored by user-api. */
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
  /** Such as 22:00-07:00 in that zone: mails of that time are sent after it; "" for none. */
  readonly quietHours: string;
}

/** A user's preferences, the address for mails, and the version that a change is based on. */
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

/** Whether users with these roles can be recipients of such events. */
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
