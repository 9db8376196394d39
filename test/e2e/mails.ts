/** The mails that Mailpit has received. */
import { runningStack } from './stack';

export interface Mail {
  readonly id: string;
  readonly to: string;
  readonly subject: string;
}

interface MailpitMessage {
  readonly ID: string;
  readonly Subject: string;
  readonly To: readonly { readonly Address: string }[];
}

/** The mails whose subject has the reference. */
export async function mailsAbout(reference: string): Promise<Mail[]> {
  const query = new URLSearchParams({ query: `subject:"${reference}"`, limit: '100' });
  const { messages } = await ask<{ messages: MailpitMessage[] }>(`/api/v1/search?${query.toString()}`);
  return messages.flatMap((m) => m.To.map((to) => ({ id: m.ID, to: to.Address, subject: m.Subject })));
}

/** The recipients of mails about the reference: one entry per mail, sorted. */
export async function mailedAbout(reference: string): Promise<string[]> {
  return (await mailsAbout(reference)).map((mail) => mail.to).sort();
}

export async function textOf(mail: Mail): Promise<string> {
  return (await ask<{ Text: string }>(`/api/v1/message/${mail.id}`)).Text;
}

/** The address in the mail's List-Unsubscribe header. */
export async function unsubscribeLink(mail: Mail): Promise<string> {
  const headers = await ask<Record<string, string[]>>(`/api/v1/message/${mail.id}/headers`);
  if (headers['List-Unsubscribe-Post']?.[0] !== 'List-Unsubscribe=One-Click') throw new Error('no one-click');
  return (headers['List-Unsubscribe']?.[0] ?? '').replace(/^<|>$/g, '');
}

/** The mail's HTML part. */
export function pageOf(mail: Mail): string {
  return `${runningStack().mailpit_url}/view/${mail.id}.html`;
}

async function ask<T>(path: string): Promise<T> {
  const { mailpit_url: address } = runningStack();
  if (address === '')
    throw new Error('SMTP_URL is set without MAILPIT_URL: the tests cannot read the mails; set both');
  const response = await fetch(address + path);
  if (!response.ok) throw new Error(`Mailpit answered ${path} with ${String(response.status)}`);
  return (await response.json()) as T;
}
