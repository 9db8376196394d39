import { render } from '@testing-library/react';
import { expect, it } from 'vitest';
import { Name } from './Name';

it('shows a name isolated, with few marks and without what has no shape', () => {
  const { container } = render(<Name of={`\u{16fe4}Z${'\u0301'.repeat(40)}`} />);
  expect(container.innerHTML).toBe(`<bdi>Z${'\u0301'.repeat(6)}</bdi>`);
});
