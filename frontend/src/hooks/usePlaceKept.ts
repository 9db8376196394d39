import { type RefObject, useLayoutEffect } from 'react';

/** What a list stores about the places of its orders. */
export interface Places {
  /** The last height of each order that left its place, in pixels. */
  readonly heights: Map<string, number>;
  /** The order that left with the focus inside, or "". */
  focusOf: string;
}

export function newPlaces(): Places {
  return { heights: new Map(), focusOf: '' };
}

/**
 * Keeps the height and the focus at an order's place when its card becomes a gap and back. When an order with the focus leaves the
 * list, the focus moves to the list; the browser would drop it.
 */
export function usePlaceKept(element: RefObject<HTMLElement | null>, orderId: string, places: Places): void {
  useLayoutEffect(() => {
    const here = element.current;
    if (here === null) return;
    const list = here.closest<HTMLElement>('#orders');
    if (places.focusOf === orderId && document.activeElement === list) here.focus({ preventScroll: true });
    return () => {
      places.heights.set(orderId, here.getBoundingClientRect().height);
      if (!here.contains(document.activeElement)) return;
      places.focusOf = orderId;
      list?.focus({ preventScroll: true });
    };
  }, [element, orderId, places]);
}

/** Like usePlaceKept, for the gap of an order, which has the order's last height. */
export function useGapKept(element: RefObject<HTMLElement | null>, orderId: string, places: Places): void {
  useLayoutEffect(() => {
    const height = places.heights.get(orderId);
    if (height !== undefined) element.current?.style.setProperty('block-size', `${String(height)}px`);
  }, [element, orderId, places]);
  usePlaceKept(element, orderId, places);
}
