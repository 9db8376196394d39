import { type InputHTMLAttributes, type Ref, useLayoutEffect, useRef } from 'react';
import { inGroups, ungrouped } from '../model/money';

export interface AmountInputProps
  extends Omit<InputHTMLAttributes<HTMLInputElement>, 'value' | 'onChange' | 'ref'> {
  /** As typed, without the spaces between groups. */
  readonly typed: string;
  readonly onType: (typed: string) => void;
  readonly inputRef: Ref<HTMLInputElement>;
}

/** A field for an amount that groups its digits by three while the user types, and keeps the position of the caret. */
export function AmountInput({ typed, onType, inputRef, ...rest }: AmountInputProps) {
  const shown = inGroups(typed);
  const field = useRef<HTMLInputElement>(null);
  /** The number of typed characters before the caret; undefined if the browser has already placed it. */
  const caret = useRef<number>(undefined);

  useLayoutEffect(() => {
    if (caret.current === undefined || field.current === null) return;
    let [place, left] = [0, caret.current];
    while (place < shown.length && left > 0) {
      left -= ungrouped(shown.charAt(place)).length;
      place += 1;
    }
    caret.current = undefined;
    field.current.setSelectionRange(place, place);
  }, [shown]);

  function changed(value: string, at: number): void {
    const before = ungrouped(value.slice(0, at)).length;
    let next = ungrouped(value);
    caret.current = before;
    if (next === typed && value.length < shown.length) {
      // Only the space between two groups was deleted, so delete the digit before it.
      next = typed.slice(0, Math.max(0, before - 1)) + typed.slice(before);
      caret.current = Math.max(0, before - 1);
    }
    onType(next);
  }

  return (
    <input
      {...rest}
      ref={(element) => {
        field.current = element;
        if (typeof inputRef === 'function') inputRef(element);
        else if (inputRef !== null) inputRef.current = element;
      }}
      value={shown}
      onChange={(event) => {
        changed(event.target.value, event.target.selectionStart ?? event.target.value.length);
      }}
    />
  );
}
