/**
 * The alerts of this device: a sound, a vibration, a notification of the browser, a number on the app's icon. Each is opt-in and
 * stored for the device. Browsers play no sound before the user has touched the page, so the page asks for a touch.
 */
import { announcer, type Observable } from './observable';

export const alertKinds = ['sound', 'vibration', 'notification', 'badge'] as const;
export type AlertKind = (typeof alertKinds)[number];

/** refused: the user or the device does not let this page do it. */
export type AlertChoice = 'unsupported' | 'off' | 'on' | 'refused';

export interface AlertsState {
  readonly choices: Readonly<Record<AlertKind, AlertChoice>>;
  /** Sound is on, but the browser needs a touch first. */
  readonly needsTouch: boolean;
}

export interface Alerts extends Observable<AlertsState> {
  /** Call it from a press: browsers ask for permission only then. */
  choose(kind: AlertKind, on: boolean): Promise<void>;
  ring(news: News): void;
  /** How many notifications are unread. */
  count(unread: number): void;
}

export interface News {
  readonly text: string;
  /** The address that a click on the browser's notification opens. */
  readonly path: string;
}

const storageKey = 'orderbell.alerts';
/** After a device's sleep many notifications come at once: one sound, one vibration. */
const apart = 2000;

export function alerts(page: Window & typeof globalThis, now: () => number = Date.now): Alerts {
  const { subscribe, announce } = announcer();
  const navigator = page.navigator as Partial<Navigator>;
  const stored = page.localStorage.getItem(storageKey)?.split(' ') ?? [];
  const kept = new Set(alertKinds.filter((kind) => stored.includes(kind)));
  const isSupported: Record<AlertKind, boolean> = {
    sound: 'AudioContext' in page,
    vibration: 'vibrate' in navigator,
    notification: 'Notification' in page,
    badge: 'setAppBadge' in navigator,
  };
  let audio: AudioContext | undefined;
  let lastRing = 0;
  let unread = 0;
  let state = look();

  if (kept.has('sound') && isSupported.sound) {
    prepare();
    page.addEventListener('pointerdown', unlock);
    page.addEventListener('keydown', unlock);
  }

  return {
    subscribe,
    getSnapshot: () => state,
    async choose(kind, on) {
      if (!isSupported[kind]) return;
      if (on) kept.add(kind);
      else kept.delete(kind);
      page.localStorage.setItem(storageKey, [...kept].join(' '));
      if (kind === 'sound' && on) {
        prepare();
        await unlock();
        beep();
      }
      if (kind === 'vibration' && on) navigator.vibrate?.(200);
      if (kind === 'notification' && on) await page.Notification.requestPermission();
      if (kind === 'badge') show();
      become();
    },
    ring(news) {
      if (now() - lastRing >= apart) {
        lastRing = now();
        if (kept.has('sound')) beep();
        if (kept.has('vibration')) navigator.vibrate?.([200, 100, 200]);
      }
      if (state.choices.notification === 'on' && page.document.hidden) void notify(news);
    },
    count(next) {
      unread = next;
      show();
    },
  };

  function prepare(): void {
    audio ??= new page.AudioContext();
  }

  async function unlock(): Promise<void> {
    await audio?.resume().catch(() => undefined); // it stays locked, and the page asks again
    if (audio?.state === 'running') {
      page.removeEventListener('pointerdown', unlock);
      page.removeEventListener('keydown', unlock);
    }
    become();
  }

  /** Two tones, as of a bell: no file to load. */
  function beep(): void {
    if (audio?.state !== 'running') return;
    for (const [i, frequency] of [880, 660].entries()) {
      const at = audio.currentTime + i * 0.18;
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = frequency;
      volume.gain.setValueAtTime(0.25, at);
      volume.gain.exponentialRampToValueAtTime(0.001, at + 0.35);
      tone.connect(volume).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.35);
    }
  }

  /** One tag, so that the newest notification replaces the one before, and a device that was asleep shows only one. */
  async function notify({ text, path }: News): Promise<void> {
    const options = { body: text, tag: 'orderbell', icon: '/icons/192.png', data: { path } };
    const worker = await navigator.serviceWorker?.getRegistration();
    if (worker !== undefined) {
      await worker.showNotification('Orderbell', options);
      return;
    }
    const shown = new page.Notification('Orderbell', options);
    shown.onclick = () => {
      page.focus();
      page.location.hash = path;
    };
  }

  function show(): void {
    if (!isSupported.badge) return;
    const done =
      kept.has('badge') && unread > 0 ? navigator.setAppBadge?.(unread) : navigator.clearAppBadge?.();
    done?.catch(() => undefined); // an app that is not installed has no icon
  }

  function become(): void {
    state = look();
    announce();
  }

  function look(): AlertsState {
    const choiceOf = (kind: AlertKind): AlertChoice => {
      if (!isSupported[kind]) return 'unsupported';
      if (!kept.has(kind)) return 'off';
      return kind === 'notification' && page.Notification.permission !== 'granted' ? 'refused' : 'on';
    };
    return {
      choices: {
        sound: choiceOf('sound'),
        vibration: choiceOf('vibration'),
        notification: choiceOf('notification'),
        badge: choiceOf('badge'),
      },
      needsTouch: kept.has('sound') && isSupported.sound && audio?.state !== 'running',
    };
  }
}
