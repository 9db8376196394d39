import { type Key, t } from '../i18n/words';
import { isKnownZone } from '../model/zone';

export interface ZoneNoteProps {
  readonly zone: string;
  /** What the page shows in UTC because of it; takes `zone`. */
  readonly text: Key;
  readonly values?: Readonly<Record<string, string>>;
}

/** Tells the user that this browser does not know a time zone, and that the page uses another. */
export function ZoneNote({ zone, text, values = {} }: ZoneNoteProps) {
  if (isKnownZone(zone)) return null;
  return (
    <p className="note" role="note">
      {t(text, { ...values, zone })}
    </p>
  );
}
