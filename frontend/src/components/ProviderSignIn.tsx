import { useEffect, useId, useState } from 'react';
import { useStore } from '../hooks/useStore';
import { t } from '../i18n/words';
import type { Access } from '../store/access';

export interface ProviderSignInProps {
  readonly access: Access;
  /** The address in the page to return to. */
  readonly returnTo: string;
}

/** Sign-in at the business's identity provider. */
export function ProviderSignIn({ access, returnTo }: ProviderSignInProps) {
  const state = useStore(access);
  const id = useId();
  const [stays, setStays] = useState(false);
  useEffect(() => access.load(), [access]);
  switch (state.kind) {
    case 'loading':
      return null;
    case 'none':
      return state.tokenBox ? null : <p className="note">{t('signIn.noProvider')}</p>;
    case 'failed':
      return (
        <p className="note" role="alert">
          {state.message}{' '}
          <button type="button" className="button button-quiet" onClick={access.load}>
            {t('tryAgain')}
          </button>
        </p>
      );
    case 'provider':
      return (
        <section className="provider" aria-label={t('signIn.submit')}>
          {state.problem !== '' && (
            <p className="note" role="alert">
              {t('signIn.failed', { problem: state.problem })}
            </p>
          )}
          <button
            type="button"
            className="button button-primary button-wide"
            disabled={state.isLeaving}
            onClick={() => access.begin(stays, returnTo)}
          >
            {t(state.isLeaving ? 'signIn.leaving' : 'signIn.submit')}
          </button>
          <label className="stays" htmlFor={id}>
            <input
              id={id}
              type="checkbox"
              checked={stays}
              onChange={(event) => setStays(event.target.checked)}
              aria-describedby={`${id}-note`}
            />
            {t('signIn.stay')}
          </label>
          <p id={`${id}-note`} className="faint">
            {t('signIn.stayNote')}
          </p>
        </section>
      );
  }
}
