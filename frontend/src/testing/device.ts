/** A device that can do nothing of its own, for tests of other things. */
import type { Device } from '../components/App';
import { alwaysOnline } from '../store/network';

export const plainDevice: Device = {
  alerts: {
    getSnapshot: () => noAlerts,
    subscribe: () => () => undefined,
    choose: async () => undefined,
    ring: () => undefined,
    count: () => undefined,
  },
  network: alwaysOnline,
  wakeLock: {
    getSnapshot: () => unsupported,
    subscribe: () => () => undefined,
    choose: () => undefined,
  },
};

const unsupported = { kind: 'unsupported' } as const;

const noAlerts = {
  choices: {
    sound: 'unsupported',
    vibration: 'unsupported',
    notification: 'unsupported',
    badge: 'unsupported',
  },
  needsTouch: false,
} as const;
