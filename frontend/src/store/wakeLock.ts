/** Whether this device's screen stays on while the page is shown: for a kitchen screen, opt-in, kept for the device. */
import { announcer, type Observable } from './observable';

export type WakeLockState =
  /** This browser cannot keep a screen on. */
  | { readonly kind: 'unsupported' }
  | { readonly kind: 'off' }
  /** It is on, or will be once the page is shown. */
  | { readonly kind: 'on' }
  /** The device refuses, for example because its battery is low. The page asks again whenever it is shown. */
  | { readonly kind: 'refused' };

export interface WakeLock extends Observable<WakeLockState> {
  choose(on: boolean): void;
}

const storageKey = 'orderbell.screen';

export function wakeLock(page: Window): WakeLock {
  const { subscribe, announce } = announcer();
  const lock = (page.navigator as Partial<Navigator>).wakeLock;
  let state: WakeLockState = lock === undefined ? { kind: 'unsupported' } : { kind: 'off' };
  let held: WakeLockSentinel | undefined;

  if (lock !== undefined) {
    // The browser takes the lock away whenever the page is hidden.
    page.document.addEventListener('visibilitychange', () => void hold());
    if (page.localStorage.getItem(storageKey) === 'on') become('on');
    void hold();
  }

  return {
    subscribe,
    getSnapshot: () => state,
    choose(on) {
      if (state.kind === 'unsupported') return;
      if (on) page.localStorage.setItem(storageKey, 'on');
      else page.localStorage.removeItem(storageKey);
      become(on ? 'on' : 'off');
      if (on) void hold();
      else void held?.release();
    },
  };

  async function hold(): Promise<void> {
    if (lock === undefined || state.kind === 'off' || page.document.visibilityState !== 'visible') return;
    if (held?.released === false) return;
    try {
      const got = await lock.request('screen');
      if (isOff()) await got.release();
      else held = got;
      if (state.kind === 'refused') become('on');
    } catch {
      if (!isOff()) become('refused');
    }
  }

  /** The choice may have changed while the device was asked. */
  function isOff(): boolean {
    return state.kind === 'off';
  }

  function become(kind: WakeLockState['kind']): void {
    state = { kind };
    announce();
  }
}
