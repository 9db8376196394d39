import { useId } from 'react';
import { t } from '../i18n/words';
import type { Preferences } from '../model/preferences';
import { deviceZone, knownZones } from '../model/zone';
import { ZoneNote } from './ZoneNote';

export interface TimeZoneProps {
  readonly draft: Preferences;
  readonly onEdit: (change: Partial<Preferences>) => void;
}

/** The user's time zone, for mails and quiet hours. The page always asks for it, because the default, UTC, is rarely right. */
export function TimeZone({ draft, onEdit }: TimeZoneProps) {
  const id = useId();
  const here = deviceZone();
  return (
    <fieldset className="channel" aria-describedby={`${id}-detail`}>
      <legend>{t('preferences.zone')}</legend>
      <p id={`${id}-detail`} className="faint">
        {t('preferences.zoneDetail')}
      </p>
      <label htmlFor={id} className="hidden">
        {t('preferences.zone')}
      </label>
      <select
        id={id}
        className="input"
        value={draft.timeZone}
        onChange={(event) => onEdit({ timeZone: event.target.value })}
      >
        {zones(draft.timeZone).map((zone) => (
          <option key={zone}>{zone}</option>
        ))}
      </select>
      <ZoneNote zone={draft.timeZone} text="zone.mails" values={{ here: here || 'UTC' }} />
      {here === '' && (
        <p className="note" role="note">
          {t('zone.device')}
        </p>
      )}
      {here !== draft.timeZone && zones('UTC').includes(here) && (
        <button type="button" className="button button-quiet" onClick={() => onEdit({ timeZone: here })}>
          {t('preferences.zoneHere', { zone: here })}
        </button>
      )}
    </fieldset>
  );
}

/** Every zone that this browser knows, and `also`. */
function zones(also: string): readonly string[] {
  return [...new Set(['UTC', also, ...knownZones()])].sort();
}
