/** A wait that can be ended early: by the network's return, or by the user. */
export interface Pause {
  readonly over: Promise<void>;
  end(): void;
}

export function pause(ms: number): Pause {
  let end = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    end = () => {
      clearTimeout(timer);
      resolve();
    };
  });
  return { over, end: () => end() };
}
