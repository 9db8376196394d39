import { expect, it } from 'vitest';
import { setLanguage } from '../i18n/words';
import { problem } from '../testing/http';
import { call } from './problem';

it('says a refusal in the page’s language', async () => {
  const refused = (status: number, body: Record<string, unknown>) =>
    call(
      async () => problem(status, 'an order that is paid cannot become submitted', body),
      '/api/orders',
      {},
    ).catch((err: unknown) => err);
  expect(await refused(409, {})).toMatchObject({ message: 'an order that is paid cannot become submitted' });
  expect(await refused(503, {})).toMatchObject({
    message: 'The server is not available at the moment. Try again shortly.',
  });
  await setLanguage('id');
  try {
    const errors = [{ field: 'reference', detail: 'is longer than 64 characters' }];
    expect(await refused(422, { errors })).toMatchObject({
      message: 'Server tidak menerima isian ini. Periksa lalu coba lagi.',
      errors: [{ field: 'reference', detail: 'Server tidak menerima isian ini.' }],
    });
    expect(await refused(409, {})).toMatchObject({
      message: 'Ini sudah diubah, atau tidak mungkin lagi. Halaman menunjukkan keadaan sekarang.',
    });
    expect(await refused(429, { limit: 'orders_per_minute' })).toMatchObject({
      message: expect.stringContaining('Batas untuk bisnis ini'),
    });
  } finally {
    await setLanguage('en');
  }
});
