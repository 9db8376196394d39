/** An order's history: who changed it and when, who was notified, and why a user was not. */
import { type Actor, type Status, statuses } from './order';
import { fields, flag, integer, list, oneOf, optionalText, text, time } from './wire';

export const outcomes = ['notified', 'due', 'deferred', 'sent', 'failed', 'suppressed', 'forgotten'] as const;
export type Outcome = (typeof outcomes)[number];

export const channels = ['in_app', 'email'] as const;
export type Channel = (typeof channels)[number];

export interface Told {
  readonly userId: string;
  /** "" for a user without a name, and for a removed user. */
  readonly name: string;
  readonly channel: Channel;
  readonly outcome: Outcome;
  /** In the server's words; "" without one. */
  readonly reason: string;
}

export interface Change {
  readonly version: number;
  /** After the change. */
  readonly status: Status;
  readonly undone?: Status;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly eventId: string;
  readonly actor?: Actor;
  /** Whether a function has decided who is notified. */
  readonly decided: boolean;
  readonly told: readonly Told[];
  /** How many decisions the server left out. */
  readonly moreTold: number;
}

export interface History {
  /** The latest first. */
  readonly changes: readonly Change[];
  /** Whether there are earlier ones. */
  readonly more: boolean;
}

export function parseHistory(value: unknown): History {
  const of = fields(value, 'history');
  return {
    changes: list(of['changes'], 'history.changes', parseChange),
    more: flag(of, 'more', 'history'),
  };
}

function parseChange(value: unknown, where: string): Change {
  const of = fields(value, where);
  const actor = of['actor'] === undefined ? undefined : fields(of['actor'], `${where}.actor`);
  return {
    version: integer(of, 'version', where, 1),
    status: oneOf<Status>(statuses, of['status'], `${where}.status`),
    ...(of['undone'] === undefined
      ? {}
      : { undone: oneOf<Status>(statuses, of['undone'], `${where}.undone`) }),
    at: time(of, 'changed_at', where),
    eventId: text(of, 'event_id', where),
    ...(actor === undefined
      ? {}
      : {
          actor: {
            userId: text(actor, 'user_id', `${where}.actor`),
            name: optionalText(actor, 'name', `${where}.actor`),
          },
        }),
    decided: flag(of, 'decided', where),
    told: list(of['told'], `${where}.told`, parseTold),
    moreTold: of['more_told'] === undefined ? 0 : integer(of, 'more_told', where, 1),
  };
}

function parseTold(value: unknown, where: string): Told {
  const of = fields(value, where);
  return {
    userId: text(of, 'user_id', where),
    name: optionalText(of, 'name', where),
    channel: oneOf(channels, of['channel'], `${where}.channel`),
    outcome: oneOf(outcomes, of['outcome'], `${where}.outcome`),
    reason: optionalText(of, 'reason', where),
  };
}
