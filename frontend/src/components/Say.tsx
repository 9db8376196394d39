import { Fragment, type ReactNode } from 'react';
import { type Key, parts } from '../i18n/words';

/** A text of the catalogue with elements in it. Names that users chose are a <Name>. */
export function Say({ id, ...values }: { readonly id: Key } & Readonly<Record<string, ReactNode>>) {
  return parts<ReactNode>(id as Key, values as Record<string, ReactNode>).map((part, i) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one text keep their order
    <Fragment key={i}>{part}</Fragment>
  ));
}
