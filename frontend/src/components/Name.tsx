import { shownText } from '../model/text';

/** A name that a user or another program has chosen: it changes neither the direction nor the look of the text around it. */
export function Name({ of }: { readonly of: string }) {
  return <bdi>{shownText(of)}</bdi>;
}
