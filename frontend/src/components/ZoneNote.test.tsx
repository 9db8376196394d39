import { render, screen } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Language, setLanguage } from '../i18n/words';
import type { Preferences } from '../model/preferences';
import type { Feed } from '../store/feed';
import type { TenantStore } from '../store/tenant';
import { BusinessPage } from './BusinessPage';
import { TimeZone } from './TimeZone';
import { TodayPage } from './TodayPage';

const unknown = 'Mars/Olympus_Mons';

afterEach(async () => {
  vi.restoreAllMocks();
  await setLanguage('en');
});

function business(timeZone: string): TenantStore {
  const tenant = { tenantId: 'demo', name: 'Demo Deli', locale: 'en', currency: 'EUR', timeZone, version: 1 };
  const state = { kind: 'ready', tenant } as const;
  return {
    subscribe: () => () => undefined,
    getSnapshot: () => state,
    load: () => undefined,
    save: () => Promise.resolve(),
  };
}

const pages = {
  preferences: (timeZone: string) => {
    const draft: Preferences = {
      ...{ emailEnabled: true, inAppEnabled: true, emailEvents: [], inAppEvents: [] },
      ...{ timeZone, quietHours: '' },
    };
    render(<TimeZone draft={draft} onEdit={() => undefined} />);
  },
  today: (timeZone: string) => {
    const feed: Partial<Feed> = {
      tenant: business(timeZone),
      store: { onChange: () => () => undefined } as unknown as Feed['store'],
      summary: () => new Promise(() => undefined),
    };
    render(<TodayPage feed={feed as Feed} />);
  },
  business: (timeZone: string) => {
    render(<BusinessPage store={business(timeZone)} />);
  },
} as const;

const told = {
  preferences: {
    en: `This browser does not know the time zone ${unknown}. Your mails and quiet hours follow it; this page shows times in UTC.`,
    id: `Peramban ini tidak mengenal zona waktu ${unknown}. Email dan jam tenang Anda mengikutinya; halaman ini menampilkan waktu dalam UTC.`,
  },
  today: {
    en: `This browser does not know the business’s time zone, ${unknown}. The date above is in UTC; the figures are of the business’s day.`,
    id: `Peramban ini tidak mengenal zona waktu usaha, ${unknown}. Tanggal di atas dalam UTC; angka-angkanya menurut hari usaha.`,
  },
  business: {
    en: `This browser does not know the business’s time zone, ${unknown}. The page uses the days of UTC.`,
    id: `Peramban ini tidak mengenal zona waktu usaha, ${unknown}. Halaman ini memakai hari UTC.`,
  },
} as const;

const cases = (['preferences', 'today', 'business'] as const).flatMap((page) =>
  (['en', 'id'] as const).map((language): [keyof typeof pages, Language] => [page, language]),
);

describe('a time zone that this browser does not know', () => {
  beforeEach(() => {
    expect(() => new Intl.DateTimeFormat('en', { timeZone: unknown })).toThrow(RangeError);
  });

  it.each(cases)('is named on the page %s, in %s', async (page, language) => {
    await setLanguage(language);
    pages[page](unknown);
    expect(screen.getByRole('note')).toHaveTextContent(told[page][language]);
  });

  it('is this device’s', () => {
    const known = Intl.DateTimeFormat.prototype.resolvedOptions;
    vi.spyOn(Intl.DateTimeFormat.prototype, 'resolvedOptions').mockImplementation(function options(
      this: Intl.DateTimeFormat,
    ) {
      return { ...known.call(this), timeZone: 'Etc/Unknown' };
    });
    pages.preferences('Asia/Jakarta');
    expect(screen.getByRole('note')).toHaveTextContent(
      'This browser does not know this device’s time zone. The page shows times in UTC.',
    );
    expect(screen.queryByRole('button')).not.toBeInTheDocument();
  });
});

describe('a time zone that this browser knows', () => {
  it.each(['preferences', 'today', 'business'] as const)('is no matter on the page %s', (page) => {
    pages[page]('Asia/Jakarta');
    expect(screen.queryByRole('note')).not.toBeInTheDocument();
  });
});
