import { useId } from 'react';
import { t } from '../i18n/words';
import type { Preferences } from '../model/preferences';

export interface QuietHoursProps {
  readonly draft: Preferences;
  readonly onEdit: (change: Partial<Preferences>) => void;
}

/** The usual night. */
const usualNight = '22:00-07:00';

export function QuietHours({ draft, onEdit }: QuietHoursProps) {
  const id = useId();
  const isQuiet = draft.quietHours !== '';
  const [from = '', to = ''] = draft.quietHours.split('-');

  return (
    <fieldset className="channel" aria-describedby={`${id}-detail`}>
      <legend>{t('preferences.quiet')}</legend>
      <p id={`${id}-detail`} className="faint">
        {t('preferences.quietDetail')}
      </p>
      <label className="choice">
        <input
          type="checkbox"
          checked={isQuiet}
          onChange={(event) => onEdit({ quietHours: event.target.checked ? usualNight : '' })}
        />
        {t('preferences.quietOn')}
      </label>
      {isQuiet && (
        <div className="quiet">
          <div>
            <label htmlFor={`${id}-from`}>{t('preferences.from')}</label>
            <input
              id={`${id}-from`}
              className="input"
              type="time"
              required={true}
              value={from}
              onChange={(event) => onEdit({ quietHours: `${event.target.value}-${to}` })}
            />
          </div>
          <div>
            <label htmlFor={`${id}-to`}>{t('preferences.to')}</label>
            <input
              id={`${id}-to`}
              className="input"
              type="time"
              required={true}
              value={to}
              onChange={(event) => onEdit({ quietHours: `${from}-${event.target.value}` })}
            />
          </div>
        </div>
      )}
    </fieldset>
  );
}
