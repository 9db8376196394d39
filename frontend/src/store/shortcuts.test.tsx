import { describe, expect, it } from 'vitest';
import { shortcutOf, shortcutStore } from './shortcuts';

function pressed(key: string, on?: string, held: KeyboardEventInit = {}): string | undefined {
  document.body.innerHTML = on ?? '<p></p>';
  const event = new KeyboardEvent('keydown', { key, bubbles: true, ...held });
  let found: string | undefined;
  const listen = (heard: KeyboardEvent) => {
    found = shortcutOf(heard);
  };
  document.addEventListener('keydown', listen);
  document.body.querySelector('p, input, select, textarea, button')?.dispatchEvent(event);
  document.removeEventListener('keydown', listen);
  return found;
}

describe('a pressed key', () => {
  it.each([
    ['/', 'find'],
    ['n', 'new'],
    ['?', 'help'],
  ])('%s stands for %s', (key, shortcut) => {
    expect(pressed(key)).toBe(shortcut);
    expect(pressed(key, '<button></button>')).toBe(shortcut);
    expect(pressed(key, '<input type="radio">')).toBe(shortcut);
  });

  it.each([
    '<input>',
    '<textarea></textarea>',
    '<select></select>',
    '<div role="dialog"><button></button></div>',
  ])('is text, or the dialog’s, in %s', (where) => {
    expect(pressed('n', where)).toBeUndefined();
  });

  it('is the browser’s with another key held', () => {
    for (const held of ['ctrlKey', 'altKey', 'metaKey'])
      expect(pressed('n', undefined, { [held]: true })).toBeUndefined();
  });
});

it('remembers that shortcuts are switched off', () => {
  localStorage.clear();
  const store = shortcutStore(localStorage);
  expect(store.getSnapshot()).toBe(true);
  store.use(false);
  expect(shortcutStore(localStorage).getSnapshot()).toBe(false);
});
