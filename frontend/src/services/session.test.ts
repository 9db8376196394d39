import { describe, expect, it } from 'vitest';
import { FakeOrigin } from '../testing/fakeOrigin';
import { problem } from '../testing/http';
import { storage } from '../testing/storage';
import { demoUsers, keepIn, parseSession, renewed, type Session, sessionFromToken } from './session';

function token(claims: unknown): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part(claims)}.c2lnbmF0dXJl`;
}

describe('demoUsers', () => {
  it('lists the users of a development server', async () => {
    const users = await demoUsers(new FakeOrigin().fetch);
    expect(users?.[0]).toEqual({
      token: 'token-of-owner-of-demo',
      tenantId: 'demo',
      tenantName: 'Demo Deli',
      name: 'owner of Demo Deli',
      email: 'owner@demo.example',
      roles: ['owner'],
      currency: 'EUR',
    });
  });

  it.each([
    ['404', problem(404, 'not here')],
    ['a page', new Response('<!doctype html>', { headers: { 'Content-Type': 'text/html' } })],
  ])('is nobody where the answer is %s', async (_case, answer) => {
    expect(await demoUsers(async () => answer)).toBeUndefined();
  });

  it('fails with the server’s reason otherwise', async () => {
    await expect(demoUsers(async () => problem(403, 'at localhost only'))).rejects.toThrow(
      'at localhost only',
    );
  });
});

describe('renewed', () => {
  it('finds the same user again', async () => {
    const origin = new FakeOrigin();
    const old = { ...parseSession(origin.user('cashier@demo.example'), 'user'), token: 'old' };
    expect((await renewed(origin.fetch, old))?.token).toBe('token-of-cashier-of-demo');
    expect(await renewed(origin.fetch, { ...old, tenantId: 'kopi' })).toBeUndefined();
    expect(await renewed(async () => problem(404, 'not here'), old)).toBeUndefined();
  });
});

describe('sessionFromToken', () => {
  it('reads the claims for display', () => {
    const pasted = token({ sub: 'u-1', tenant_id: 'kopi', roles: ['kitchen', 'astronaut'], name: 'Ayu Č' });
    expect(sessionFromToken(` Bearer ${pasted}\n`)).toEqual({
      token: pasted,
      tenantId: 'kopi',
      tenantName: 'kopi',
      name: 'Ayu Č',
      email: '',
      roles: ['kitchen'],
      currency: '',
    });
  });

  it('shows every button where the roles have other names', () => {
    expect(sessionFromToken(token({ sub: 'u', tenant_id: 'kopi' })).roles).toContain('owner');
  });

  it.each([
    ['', 'This is not a token: want three parts between dots.'],
    ['a.b', 'This is not a token: want three parts between dots.'],
    ['a b.c.d', 'This is not a token: want three parts between dots.'],
    ['a.###.c', 'This is not a token: its middle part cannot be read.'],
    [token('text'), 'This is not a token: its middle part cannot be read.'],
    [token({ sub: 'u' }), 'claims.tenant_id is missing, want a string'],
    [token({ tenant_id: 'kopi' }), 'claims.sub is missing, want a string'],
  ])('refuses %j', (pasted, message) => {
    expect(() => sessionFromToken(pasted)).toThrow(message);
  });
});

describe('keepIn', () => {
  const session: Session = sessionFromToken(token({ sub: 'u', tenant_id: 'kopi', roles: ['owner'] }));

  it('gives back what it was given, until it is cleared', () => {
    const keeper = keepIn(storage());
    expect(keeper.load()).toBeUndefined();
    keeper.save(session);
    expect(keeper.load()).toEqual(session);
    keeper.clear();
    expect(keeper.load()).toBeUndefined();
  });

  it('drops what another version wrote', () => {
    const store = storage();
    store.setItem('orderbell.session', '{"token":1}');
    expect(keepIn(store).load()).toBeUndefined();
    expect(store.getItem('orderbell.session')).toBeNull();
  });
});
