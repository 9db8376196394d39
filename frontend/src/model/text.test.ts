import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { normalText, textFault } from './text';

interface Cases {
  readonly accepted: readonly string[];
  readonly refused: readonly { readonly text: string; readonly point: string }[];
}

const file = new URL('../../../specs/004-order-notifications/contracts/text.json', import.meta.url);
const cases = JSON.parse(readFileSync(file, 'utf8')) as Cases;

/** They have nothing visible in them: the server names their first character. */
const blank = new Set(['U+0020', 'U+00A0', 'U+3000', 'U+2800']);

describe('what a name may contain', () => {
  it.each(cases.accepted)('%j', (name) => {
    expect(textFault(name)).toBeUndefined();
    expect(textFault(normalText(name))).toBeUndefined();
    expect(normalText(name)).not.toBe('');
  });

  it.each(cases.refused)('not $text: $point', ({ text, point }) => {
    expect(textFault(text)).toEqual(blank.has(point) ? { kind: 'invisible' } : { kind: 'character', point });
  });

  it('half a surrogate pair is no character', () => {
    expect(textFault('A\ud83d')).toEqual({ kind: 'character', point: 'U+D83D' });
  });

  it('is kept without spaces at its ends and in form NFC', () => {
    expect(normalText('\u3000 Cafe\u0301 1 ')).toBe('Café 1');
    expect(normalText('   ')).toBe('');
  });
});
