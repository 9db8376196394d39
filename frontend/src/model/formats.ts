/** Keeps one formatter of Intl for each set of arguments: to make one takes as long as to use it for a list of orders. */
export function formats<Arguments extends readonly string[], Format>(
  make: (...of: Arguments) => Format,
): (...of: Arguments) => Format {
  const made = new Map<string, Format>();
  return (...of) => {
    const key = of.join(' ');
    const known = made.get(key);
    if (known !== undefined) return known;
    const format = make(...of);
    made.set(key, format);
    return format;
  };
}
