import { render, screen } from '@testing-library/react';
import { useRef } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { newPlaces, type Places, useGapKept, usePlaceKept } from './usePlaceKept';

/** Says of each element that is observed that it is 190 px high, as the browser does after its next layout. */
let layout: () => void;

beforeEach(() => {
  const seen = new Set<Element>();
  vi.stubGlobal(
    'ResizeObserver',
    class {
      constructor(callback: (entries: unknown[]) => void) {
        layout = () => callback([...seen].map((target) => ({ target, borderBoxSize: [{ blockSize: 190 }] })));
      }
      observe = (element: Element) => seen.add(element);
      unobserve = (element: Element) => seen.delete(element);
    },
  );
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function Card({ places }: { readonly places: Places }) {
  const card = useRef<HTMLElement>(null);
  usePlaceKept(card, 'a', places);
  return <article ref={card} />;
}

function Gap({ places }: { readonly places: Places }) {
  const gap = useRef<HTMLDivElement>(null);
  useGapKept(gap, 'a', places);
  return <div ref={gap} data-testid="gap" />;
}

it('makes a gap as high as the order was', () => {
  const places = newPlaces();
  const { rerender } = render(<Card places={places} />);
  layout();
  rerender(<Gap places={places} />);
  expect(screen.getByTestId('gap').style.blockSize).toBe('190px');
});

it('does not measure an order that is scrolled away: each would cost a layout of the page', () => {
  const measure = vi.spyOn(Element.prototype, 'getBoundingClientRect');
  const { unmount } = render(<Card places={newPlaces()} />);
  layout();
  unmount();
  expect(measure).not.toHaveBeenCalled();
});
