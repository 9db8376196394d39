import { expect, it } from 'vitest';
import { alerts } from './alerts';

class FakeAudio {
  static isLocked = true;
  static tones = 0;
  state: AudioContextState = 'suspended';
  currentTime = 0;
  destination = {};
  async resume(): Promise<void> {
    if (!FakeAudio.isLocked) this.state = 'running';
  }
  createGain() {
    return { gain: { setValueAtTime() {}, exponentialRampToValueAtTime() {} }, connect: () => undefined };
  }
  createOscillator() {
    return {
      frequency: { value: 0 },
      connect: (next: unknown) => next,
      start: () => {
        FakeAudio.tones += 1;
      },
      stop() {},
    };
  }
}

function setup() {
  FakeAudio.isLocked = true;
  FakeAudio.tones = 0;
  const kept = new Map<string, string>();
  const told = { shown: [] as string[], vibrations: 0, badge: 0 };
  const permission = { is: 'default' as NotificationPermission, answer: 'granted' as NotificationPermission };
  const clock = { at: 10_000 };
  class FakeNotification {
    static get permission() {
      return permission.is;
    }
    static async requestPermission() {
      permission.is = permission.answer;
      return permission.is;
    }
    constructor(_title: string, options: NotificationOptions) {
      told.shown.push(options.body ?? '');
    }
  }
  const page = Object.assign(new EventTarget(), {
    document: { hidden: false },
    localStorage: {
      getItem: (k: string) => kept.get(k) ?? null,
      setItem: (k: string, v: string) => kept.set(k, v),
    },
    navigator: {
      vibrate: () => {
        told.vibrations += 1;
        return true;
      },
      setAppBadge: async (n: number) => {
        told.badge = n;
      },
      clearAppBadge: async () => {
        told.badge = 0;
      },
    },
    AudioContext: FakeAudio,
    Notification: FakeNotification,
  });
  const open = () => alerts(page as unknown as Window & typeof globalThis, () => clock.at);
  return { page, told, permission, clock, open };
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
}

const news = { text: 'A-1 is paid', path: '/orders/1' };

it('does nothing that was not chosen', async () => {
  const { page, told, open } = setup();
  const own = open();
  page.document.hidden = true;
  own.ring(news);
  own.count(3);
  await settle();
  expect([FakeAudio.tones, told]).toEqual([0, { shown: [], vibrations: 0, badge: 0 }]);
  expect(own.getSnapshot().needsTouch).toBe(false);
});

it('rings once for what comes at once, as after a sleep', async () => {
  const { told, clock, open } = setup();
  const own = open();
  FakeAudio.isLocked = false;
  await own.choose('sound', true);
  await own.choose('vibration', true);
  [FakeAudio.tones, told.vibrations] = [0, 0];
  for (let i = 0; i < 50; i += 1) own.ring(news);
  expect([FakeAudio.tones, told.vibrations]).toEqual([2, 1]);
  clock.at += 2000;
  own.ring(news);
  expect([FakeAudio.tones, told.vibrations]).toEqual([4, 2]);
  await own.choose('sound', false);
  clock.at += 2000;
  own.ring(news);
  expect(FakeAudio.tones).toBe(4);
});

it('asks for a touch after a reload, until there was one', async () => {
  const { page, open } = setup();
  const before = open();
  FakeAudio.isLocked = false;
  await before.choose('sound', true);
  FakeAudio.isLocked = true;
  FakeAudio.tones = 0;
  const own = open();
  expect(own.getSnapshot()).toMatchObject({ needsTouch: true, choices: { sound: 'on' } });
  own.ring(news);
  expect(FakeAudio.tones).toBe(0);
  page.dispatchEvent(new Event('pointerdown'));
  await settle();
  expect(own.getSnapshot().needsTouch).toBe(true);
  FakeAudio.isLocked = false;
  page.dispatchEvent(new Event('pointerdown'));
  await settle();
  expect(own.getSnapshot().needsTouch).toBe(false);
});

it('shows a notification of the browser while the page is hidden alone, and says that it was refused', async () => {
  const { page, told, permission, open } = setup();
  const own = open();
  permission.answer = 'denied';
  await own.choose('notification', true);
  expect(own.getSnapshot().choices.notification).toBe('refused');
  permission.answer = 'granted';
  await own.choose('notification', true);
  expect(own.getSnapshot().choices.notification).toBe('on');
  own.ring(news);
  page.document.hidden = true;
  own.ring({ ...news, text: 'A-2 is paid' });
  await settle();
  expect(told.shown).toEqual(['A-2 is paid']);
});

it('has the number of unread notifications on the icon', async () => {
  const { told, open } = setup();
  const own = open();
  own.count(3);
  await own.choose('badge', true);
  expect(told.badge).toBe(3);
  own.count(0);
  expect(told.badge).toBe(0);
});

it('says what the browser cannot do', () => {
  const { page, open } = setup();
  Object.assign(page, { navigator: {} });
  expect(open().getSnapshot().choices).toMatchObject({
    vibration: 'unsupported',
    badge: 'unsupported',
    sound: 'off',
  });
});
