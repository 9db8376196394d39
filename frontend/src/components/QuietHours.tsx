import { useId } from 'react';
import type { Preferences } from '../model/preferences';

export interface QuietHoursProps {
  readonly draft: Preferences;
  readonly onEdit: (change: Partial<Preferences>) => void;
}

/** What most people mean by a night. */
const usualNight = '22:00-07:00';

export function QuietHours({ draft, onEdit }: QuietHoursProps) {
  const id = useId();
  const isQuiet = draft.quietHours !== '';
  const [from = '', to = ''] = draft.quietHours.split('-');

  function begin(): void {
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    // Who has not chosen a zone has UTC, which is hardly anybody's: the browser's is the better guess.
    const timeZone = draft.timeZone === 'UTC' && zones(here).includes(here) ? here : draft.timeZone;
    onEdit({ quietHours: usualNight, timeZone });
  }

  return (
    <fieldset className="channel" aria-describedby={`${id}-detail`}>
      <legend>Quiet hours</legend>
      <p id={`${id}-detail`} className="faint">
        E-mail waits until they end. The bell does not.
      </p>
      <label className="choice">
        <input
          type="checkbox"
          checked={isQuiet}
          onChange={(event) => (event.target.checked ? begin() : onEdit({ quietHours: '' }))}
        />
        Keep e-mail back
      </label>
      {isQuiet && (
        <div className="quiet">
          <div>
            <label htmlFor={`${id}-from`}>From</label>
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
            <label htmlFor={`${id}-to`}>To</label>
            <input
              id={`${id}-to`}
              className="input"
              type="time"
              required={true}
              value={to}
              onChange={(event) => onEdit({ quietHours: `${from}-${event.target.value}` })}
            />
          </div>
          <div className="quiet-zone">
            <label htmlFor={`${id}-zone`}>Time zone</label>
            <select
              id={`${id}-zone`}
              className="input"
              value={draft.timeZone}
              onChange={(event) => onEdit({ timeZone: event.target.value })}
            >
              {zones(draft.timeZone).map((zone) => (
                <option key={zone}>{zone}</option>
              ))}
            </select>
          </div>
        </div>
      )}
    </fieldset>
  );
}

/** Every zone that this browser knows; `also` is among them though it may be none of those. */
function zones(also: string): readonly string[] {
  return [...new Set(['UTC', also, ...Intl.supportedValuesOf('timeZone')])].sort();
}
