/** A device that can do nothing of its own, for tests of other things. */
import type { Device } from '../components/App';
import { alwaysOnline } from '../store/network';

export const plainDevice: Device = {
  network: alwaysOnline,
  wakeLock: {
    getSnapshot: () => unsupported,
    subscribe: () => () => undefined,
    choose: () => undefined,
  },
};

const unsupported = { kind: 'unsupported' } as const;
