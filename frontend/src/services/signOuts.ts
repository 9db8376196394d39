/**
 * Tells the other tabs of this browser that a user has signed out, so that every tab is signed out. It needs no network.
 */
export interface SignOuts {
  /** `name` is the same for all tabs of one user. */
  tell(name: string): void;
  onHear(listener: (name: string) => void): void;
}

const channelName = 'orderbell sign-out';

export function signOutsIn(open: (name: string) => BroadcastChannel): SignOuts {
  const channel = open(channelName);
  return {
    tell: (name) => channel.postMessage(name),
    onHear: (listener) =>
      channel.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
        if (typeof data === 'string') listener(data);
      }),
  };
}
