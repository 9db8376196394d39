/** A browser of one user, and the tests' fixtures. */
import { type BrowserContextOptions, test as base, expect, type Locator, type Page } from '@playwright/test';
import { runningStack } from './stack';

export interface TillOptions extends BrowserContextOptions {
  /** The origin of the page, if it is not the stack's own. */
  readonly at?: string;
  readonly language?: 'en' | 'id';
}

export class Till {
  readonly page: Page;
  readonly connection: Locator;

  constructor(page: Page) {
    this.page = page;
    this.connection = page.getByTestId('connection');
  }

  /** The cards of an order: exactly one if nothing is duplicated. */
  order(reference: string): Locator {
    return this.page.getByRole('article', { name: reference, exact: true });
  }

  /** Keeps the texts of the toasts from now on, because the next notification may replace one at once. */
  async keepToasts(): Promise<void> {
    await this.page.evaluate(() => {
      window.toasts = [];
      new MutationObserver(() => {
        const text = document.querySelector('[data-testid="toast"]')?.textContent;
        if (text !== undefined && text !== null && window.toasts.at(-1) !== text) window.toasts.push(text);
      }).observe(document, { childList: true, characterData: true, subtree: true });
    });
  }

  /** The text of the toast about an order, once there was one since keepToasts. */
  async toastAbout(reference: string): Promise<string> {
    const found = await this.page.waitForFunction(
      (of) => window.toasts.find((text) => text.includes(of)),
      reference,
      { timeout: 30_000 },
    );
    return (await found.jsonValue()) ?? '';
  }

  /** Shows only this order. Other tests' orders could move it out of view, and the document has only orders in view. */
  async find(reference: string): Promise<Locator> {
    await this.page.getByRole('searchbox').fill(reference);
    return this.order(reference);
  }

  async create(amount: string, reference: string): Promise<void> {
    await this.page.getByLabel('Amount').fill(amount);
    await this.page.getByRole('textbox', { name: /^Reference/ }).fill(reference);
    await this.page.getByRole('button', { name: 'Create order' }).click();
  }

  async press(button: string, reference: string): Promise<void> {
    await this.page.getByRole('button', { name: `${button} ${reference}`, exact: true }).click();
  }

  /** Refunds or cancels the order, and confirms it. */
  async pressFinal(button: 'Refund' | 'Cancel', reference: string): Promise<void> {
    await this.press(button === 'Cancel' ? 'Cancel order' : button, reference);
    await this.page
      .getByRole('alertdialog')
      .getByRole('button', { name: `${button} ${reference}` })
      .click();
  }

  async showAll(): Promise<void> {
    await this.page.locator('label', { hasText: /^All/ }).click(); // the visible part of the radio button
    await expect(this.page.getByRole('radio', { name: /^All/ })).toBeChecked();
  }
}

declare global {
  interface Window {
    /** The texts of the toasts since keepToasts. */
    toasts: string[];
  }
}

interface Fixtures {
  /** Opens the page in a new browser context and signs in. */
  readonly openTill: (email: string, options?: TillOptions) => Promise<Till>;
}

export const test = base.extend<Fixtures>({
  openTill: async ({ browser }, use) => {
    const broken: string[] = [];
    const close: (() => Promise<void>)[] = [];
    await use(async (email, { at, language = 'en', ...options } = {}) => {
      const context = await browser.newContext(options);
      close.push(() => context.close());
      // The page uses the language of the business. These tests expect English in every business.
      await context.addInitScript((kept) => localStorage.setItem('orderbell.language', kept), language);
      const page = await context.newPage();
      page.on('pageerror', (err) => broken.push(String(err)));
      page.on('console', (message) => {
        if (message.text().includes('Content Security Policy')) broken.push(message.text());
      });
      await page.goto(`${at ?? runningStack().origin}/#/?sort=newest`);
      await page.getByRole('button', { name: email }).click();
      const till = new Till(page);
      await expect(till.connection).toHaveAttribute('data-state', 'live');
      return till;
    });
    for (const one of close) await one();
    expect(broken, 'errors in the pages').toEqual([]);
  },
});

export { expect };
