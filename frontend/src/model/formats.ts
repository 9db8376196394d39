/** Keeps one formatter of Intl for each set of arguments: making one takes as long as formatting a list of orders with it. */
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
