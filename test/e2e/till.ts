/** A browser of one person, and the tests' fixtures. */
import { type BrowserContextOptions, test as base, expect, type Locator, type Page } from '@playwright/test';
import { runningStack } from './stack';

export interface TillOptions extends BrowserContextOptions {
  /** Where the page is opened, if not at the stack's own origin. */
  readonly at?: string;
  readonly language?: 'en' | 'id';
}

export class Till {
  readonly page: Page;
  readonly connection: Locator;
  readonly toasts: Locator;

  constructor(page: Page) {
    this.page = page;
    this.connection = page.getByTestId('connection');
    this.toasts = page.getByTestId('toast');
  }

  /** The cards of an order: one, if all is well. */
  order(reference: string): Locator {
    return this.page.getByRole('article', { name: reference, exact: true });
  }

  /** Shows an order alone: other tests' orders may push it out of sight, and what is out of sight is not in the document. */
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

  /** Refunds or cancels, which asks once more. */
  async pressFinal(button: 'Refund' | 'Cancel', reference: string): Promise<void> {
    await this.press(button === 'Cancel' ? 'Cancel order' : button, reference);
    await this.page
      .getByRole('alertdialog')
      .getByRole('button', { name: `${button} ${reference}` })
      .click();
  }

  async showAll(): Promise<void> {
    await this.page.locator('label', { hasText: /^All/ }).click(); // it is what one sees of the radio button
    await expect(this.page.getByRole('radio', { name: /^All/ })).toBeChecked();
  }
}

interface Fixtures {
  /** Opens the page in a browser context of its own and signs in. */
  readonly openTill: (email: string, options?: TillOptions) => Promise<Till>;
}

export const test = base.extend<Fixtures>({
  openTill: async ({ browser }, use) => {
    const broken: string[] = [];
    const close: (() => Promise<void>)[] = [];
    await use(async (email, { at, language = 'en', ...options } = {}) => {
      const context = await browser.newContext(options);
      close.push(() => context.close());
      // The business's language is the page's: these tests read English, wherever they sell.
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
