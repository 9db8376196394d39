import { useId } from 'react';
import { useStore } from '../hooks/useStore';
import { t } from '../i18n/words';
import type { WakeLock } from '../store/wakeLock';

/** What this device does, for all who sign in on it: kept here, at once. */
export function DeviceChoices({ wakeLock }: { readonly wakeLock: WakeLock }) {
  const id = useId();
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
    </fieldset>
  );
}
