import { type Key, t } from '../i18n/words';
import { isKnownZone } from '../model/zone';

export interface ZoneNoticeProps {
  readonly zone: string;
  /** What the page shows in UTC because of it; takes `zone`. */
  readonly text: Key;
  readonly values?: Readonly<Record<string, string>>;
}

/** Says so where this browser does not know a time zone, and the page takes another. */
export function ZoneNotice({ zone, text, values = {} }: ZoneNoticeProps) {
  if (isKnownZone(zone)) return null;
  return (
    <p className="notice" role="note">
      {t(text, { ...values, zone })}
    </p>
  );
}
