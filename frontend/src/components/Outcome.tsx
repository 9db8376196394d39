/** The outcome of a change that the user made. */
export interface Said {
  readonly problem: string;
  readonly done: string;
  readonly isWorking?: boolean;
}

export const nothing: Said = { problem: '', done: '' };

export function Outcome({ said }: { readonly said: Said }) {
  if (said.problem !== '') {
    return (
      <p className="field-problem" role="alert">
        {said.problem}
      </p>
    );
  }
  return said.done === '' ? null : <p role="status">{said.done}</p>;
}
