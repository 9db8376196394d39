export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Of the day before, drawn behind the value. */
  readonly before?: number;
}

export interface BarsProps {
  readonly title: string;
  readonly bars: readonly Bar[];
  /** The distance between two labels below the columns. */
  readonly every: number;
}

const width = 10;
const height = 80;

/** A small column chart. For screen readers it is a table. */
export function Bars({ title, bars, every }: BarsProps) {
  const most = Math.max(1, ...bars.flatMap(({ value, before = 0 }) => [value, before]));
  const scaled = (value: number) => (value / most) * height;
  return (
    <figure className="bars">
      <figcaption>{title}</figcaption>
      <svg
        aria-hidden="true"
        viewBox={`0 0 ${String(bars.length * width)} ${String(height + 14)}`}
        preserveAspectRatio="none"
      >
        {bars.map(({ label, value, before = 0 }, i) => (
          <g key={label} transform={`translate(${String(i * width)} 0)`}>
            <title>{`${label}: ${String(value)}`}</title>
            <rect
              className="bar-before"
              x={0.5}
              width={width - 1}
              y={height - scaled(before)}
              height={scaled(before)}
            />
            <rect
              className="bar"
              x={2.5}
              width={width - 5}
              y={height - scaled(value)}
              height={scaled(value)}
            />
            {i % every === 0 && (
              <text x={0} y={height + 11}>
                {label}
              </text>
            )}
          </g>
        ))}
        <line x1={0} x2={bars.length * width} y1={height} y2={height} />
      </svg>
      {/* A table is as wide as its text, whatever its width is set to: the element around it hides it. */}
      <div className="hidden">
        <table>
          <caption>{title}</caption>
          <tbody>
            {bars
              .filter(({ value, before = 0 }) => value > 0 || before > 0)
              .map(({ label, value, before }) => (
                <tr key={label}>
                  <th scope="row">{label}</th>
                  <td>{value}</td>
                  {before !== undefined && <td>{before}</td>}
                </tr>
              ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}
