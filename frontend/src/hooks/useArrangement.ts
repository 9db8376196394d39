import { type RefObject, useEffect, useState } from 'react';

/** How long the user counts as working in the list after the last touch, key or mouse move in it. */
const workingFor = 8000;

/** Whether the user works in the element. Then nothing in it may move. */
export function useWorking(element: RefObject<HTMLElement | null>): boolean {
  const [working, setWorking] = useState(false);
  useEffect(() => {
    const target = element.current;
    if (target === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const touch = () => {
      setWorking(true);
      clearTimeout(timer);
      timer = setTimeout(() => setWorking(false), workingFor);
    };
    for (const event of signs) target.addEventListener(event, touch, { passive: true });
    return () => {
      clearTimeout(timer);
      for (const event of signs) target.removeEventListener(event, touch);
    };
  }, [element]);
  return working;
}

const signs = ['pointerdown', 'pointermove', 'keydown', 'focusin', 'wheel', 'touchmove'] as const;

export interface Arrangement {
  /** The entries of the list in their order, including those that no longer belong there. */
  readonly ids: readonly string[];
  /** The number of held-back entries. */
  readonly news: number;
  /** Arranges the list as it should be now. */
  arrange(): void;
}

/**
 * Keeps every order at its place while the user works in the list. Orders that no longer belong leave a gap. New ones are held
 * back, except those after the last one, which move nothing. `key` identifies filter, search and sort order: with a new key the
 * list changes at once.
 */
export function useArrangement(wanted: readonly string[], key: string, working: boolean): Arrangement {
  const [kept, setKept] = useState({ key, ids: wanted });
  const isFree = !working || kept.key !== key;
  const ids = isFree ? wanted : withEnd(kept.ids, wanted);
  if (kept.ids !== ids || kept.key !== key) setKept({ key, ids });
  return {
    ids,
    news: ids === wanted ? 0 : newOnes(wanted, ids),
    arrange: () => setKept({ key, ids: wanted }),
  };
}

/** The kept ids, and the wanted ones after the last of them. */
function withEnd(kept: readonly string[], wanted: readonly string[]): readonly string[] {
  const there = new Set(kept);
  const end = wanted.slice(wanted.findLastIndex((id) => there.has(id)) + 1);
  return end.length === 0 || end.length === wanted.length ? kept : [...kept, ...end];
}

/** How long a control ignores taps after it has moved: the user may have aimed at another one. */
export const settleFor = 400;

/** Whether the list was rearranged a moment ago, so that another control may be under the finger. */
export function useSettling(ids: readonly string[]): boolean {
  const [last, setLast] = useState(ids);
  const [settling, setSettling] = useState(false);
  if (last !== ids) {
    setLast(ids);
    if (!startsWith(ids, last)) setSettling(true);
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: each arrangement restarts the timer
  useEffect(() => {
    if (!settling) return;
    const timer = setTimeout(() => setSettling(false), settleFor);
    return () => clearTimeout(timer);
  }, [settling, ids]);
  return settling;
}

function startsWith(ids: readonly string[], start: readonly string[]): boolean {
  return start.length > 0 && start.every((id, i) => ids[i] === id);
}

function newOnes(wanted: readonly string[], shown: readonly string[]): number {
  const there = new Set(shown);
  return wanted.reduce((count, id) => count + (there.has(id) ? 0 : 1), 0);
}
