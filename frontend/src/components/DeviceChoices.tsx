import { useId } from 'react';
import { useStore } from '../hooks/useStore';
import { t } from '../i18n/words';
import { alertKinds } from '../store/alerts';
import type { Device } from './App';

/** Settings of this device, for all users who sign in on it. A change is stored at once. */
export function DeviceChoices({ wakeLock, alerts }: Pick<Device, 'wakeLock' | 'alerts'>) {
  const id = useId();
  const { choices, needsTouch } = useStore(alerts);
  const screen = useStore(wakeLock);
  return (
    <fieldset className="channel" aria-describedby={`${id}-detail`}>
      <legend>{t('device.title')}</legend>
      <p id={`${id}-detail`} className="faint">
        {t('device.detail')}
      </p>
      <label className="choice">
        <input
          type="checkbox"
          disabled={screen.kind === 'unsupported'}
          checked={screen.kind === 'on' || screen.kind === 'refused'}
          onChange={(event) => wakeLock.choose(event.target.checked)}
        />
        {t('device.screen')}
      </label>
      {screen.kind === 'unsupported' && <p className="faint">{t('device.screenUnsupported')}</p>}
      {screen.kind === 'refused' && (
        <p className="field-problem" role="status">
          {t('device.screenRefused')}
        </p>
      )}
      {alertKinds.map((kind) => (
        <label key={kind} className="choice">
          <input
            type="checkbox"
            disabled={choices[kind] === 'unsupported'}
            checked={choices[kind] === 'on' || choices[kind] === 'refused'}
            onChange={(event) => void alerts.choose(kind, event.target.checked)}
          />
          <span>
            {t(`alert.${kind}`)}
            {choices[kind] === 'unsupported' && <span className="faint"> {t('alert.unsupported')}</span>}
          </span>
        </label>
      ))}
      {choices.notification === 'refused' && (
        <p className="field-problem" role="status">
          {t('alert.refused')}
        </p>
      )}
      {needsTouch && <p role="status">{t('alert.touch')}</p>}
    </fieldset>
  );
}
