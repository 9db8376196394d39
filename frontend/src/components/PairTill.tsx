import { useEffect, useRef, useState } from 'react';
import { useStore } from '../hooks/useStore';
import { t } from '../i18n/words';
import { keepPairingIn, pairingClient } from '../services/pairing';
import type { Session } from '../services/session';
import { clock } from '../store/clock';
import { pairing } from '../store/pairing';

export interface PairTillProps {
  readonly onPaired: (session: Session) => void;
  readonly onCancel: () => void;
}

/** The code of a till that waits for a manager's approval, large enough to read across a counter. */
export function PairTill({ onPaired, onCancel }: PairTillProps) {
  const [till] = useState(() =>
    pairing({
      client: pairingClient(window.fetch.bind(window)),
      keeper: keepPairingIn(window.sessionStorage),
      onPaired,
    }),
  );
  const state = useStore(till);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []); // the button that was pressed is gone
  useEffect(() => {
    till.open();
    window.addEventListener('online', till.retryNow);
    return () => {
      window.removeEventListener('online', till.retryNow);
      till.close();
    };
  }, [till]);
  return (
    <section className="pairing" aria-labelledby="pairing">
      <h2 id="pairing" ref={heading} tabIndex={-1}>
        {t('pair.begin')}
      </h2>
      {state.kind === 'over' && (
        <p className="note" role="alert">
          {state.reason}
        </p>
      )}
      {state.kind === 'beginning' && state.problem === '' && <p role="status">{t('pair.asking')}</p>}
      {state.kind === 'waiting' && (
        <>
          <p>{t('pair.how')}</p>
          <p className="pairing-code" role="status" translate="no" data-testid="pairing-code">
            {state.code}
          </p>
          <Countdown endsAt={state.endsAt} />
          <p>{t('pair.waits')}</p>
        </>
      )}
      {state.kind !== 'over' && state.problem !== '' && (
        <p className="note" role="alert">
          {state.problem} {t('pair.goesOn')}{' '}
          <button type="button" className="button button-quiet" onClick={till.retryNow}>
            {t('retryNow')}
          </button>
        </p>
      )}
      <p className="pairing-actions">
        {state.kind === 'over' && (
          <button type="button" className="button button-primary" onClick={till.begin}>
            {t('pair.another')}
          </button>
        )}
        <button
          type="button"
          className="button"
          onClick={() => {
            till.cancel();
            onCancel();
          }}
        >
          {t('pair.cancel')}
        </button>
      </p>
    </section>
  );
}

const seconds = clock(Date.now, 1000);

function Countdown({ endsAt }: { readonly endsAt: number }) {
  const left = Math.max(0, Math.ceil((endsAt - useStore(seconds)) / 1000));
  const time = `${String(Math.floor(left / 60))}:${String(left % 60).padStart(2, '0')}`;
  return (
    <p className="pairing-time" role="timer">
      {t('pair.left', { time })}
    </p>
  );
}
