import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isolated } from '../i18n/words';
import { orderName } from './order';
import { normalText, shownText, textFault } from './text';

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

describe('a name is shown', () => {
  it.each(cases.accepted)('%j as it is', (name) => {
    expect(shownText(name)).toBe(name);
  });

  it.each(['\u{1d159}', '\u{16fe4}', '\u{13441}', '\u{13442}'])(
    'without %j, which has no shape',
    (unseen) => {
      expect(textFault(unseen), 'the released contract accepts it').toBeUndefined();
      expect(shownText(`A${unseen}1`)).toBe('A1');
      expect(shownText(`${unseen}\u0301`)).toBe('');
      expect(orderName({ reference: unseen, orderId: '0193b5a2-0000-7000-8000-00000000002a' })).toBe(
        '#00002a',
      );
      expect(isolated(`é${unseen}`)).toBe('\u2068é\u2069');
    },
  );

  it.each(['\u0301', '\u0322', '\u20dd', '\u0e49', '\u0651', '\u0489', '\u200d', '\ufe0f'])(
    'without a flood of %j',
    (mark) => {
      const few = `Z${mark.repeat(6)}`;
      expect(shownText(`${few}${mark.repeat(40)}B`)).toBe(`${few}B`);
      expect(orderName({ reference: `${few}${mark.repeat(40)}`, orderId: '1' })).toBe(few);
      expect(isolated(`${few}${mark.repeat(40)}`)).toBe(`\u2068${few}\u2069`);
    },
  );

  it('by the component Name wherever it has an element of its own', () => {
    const components = new URL('../components/', import.meta.url);
    const others = readdirSync(components)
      .filter((file) => file.endsWith('.tsx') && !/^Name\.tsx$|\.test\.tsx$/.test(file))
      .filter((file) => readFileSync(new URL(file, components), 'utf8').includes('<bdi'));
    expect(others).toEqual([]);
  });
});
