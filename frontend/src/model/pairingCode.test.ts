import { expect, it } from 'vitest';
import { pairingCode } from './pairingCode';

it.each([
  ['WDJB-MJHT'],
  ['wdjb-mjht'],
  ['wdjbmjht'],
  [' Wdjb mjht\u00a0'],
  ['WDJB – MJHT'],
  ['WDJB\u2011MJHT'],
  ['w d j b m j h t'],
])('reads %j as the till shows it', (typed) => {
  expect(pairingCode(typed)).toBe('WDJB-MJHT');
});

it.each([[''], ['WDJB'], ['WDJB-MJHTX'], ['WDJB-MJHA'], ['WDJB-MJH1'], ['WDJB_MJHT']])(
  'takes %j for no code',
  (typed) => {
    expect(pairingCode(typed)).toBeUndefined();
  },
);
