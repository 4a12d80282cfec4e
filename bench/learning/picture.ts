/** The curves as a picture: a panel a series, a line a way of running, the seeds' mean with their range as a band. SVG. */
import { SERIES, type Curve, type Series } from './curves.js';

export interface Way {
  readonly name: string;
  readonly colour: string;
  readonly curves: readonly Curve[];
}

const PANEL = { width: 220, height: 170, left: 34, top: 24, gap: 14 };

/** @param ways each with at least one curve; points that all curves of a way have are drawn. */
export function picture(title: string, ways: readonly Way[]): string {
  const width = PANEL.left + SERIES.length * (PANEL.width + PANEL.gap) + 10;
  const height = PANEL.top + PANEL.height + 62;
  const last = Math.max(1, ...ways.flatMap(({ curves }) => curves.flatMap(({ iterations }) => iterations)));
  const panels = SERIES.map((series, i) =>
    panel(series, PANEL.left + i * (PANEL.width + PANEL.gap), last, ways),
  );
  const legend = ways.map(
    ({ name, colour }, i) =>
      `<g transform="translate(${PANEL.left + i * 190} ${height - 14})"><rect width="18" height="4" y="-6" fill="${colour}"/><text x="24">${name}</text></g>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11" fill="#333">`,
    `<title>${title}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...panels,
    ...legend,
    '</svg>',
    '',
  ].join('\n');
}

function panel(series: Series, left: number, last: number, ways: readonly Way[]): string {
  const x = (iteration: number): string => (left + (iteration / last) * PANEL.width).toFixed(1);
  const y = (accuracy: number): string => (PANEL.top + PANEL.height * (1 - accuracy / 100)).toFixed(1);
  const grid = [0, 25, 50, 75, 100].map(
    (level) =>
      `<line x1="${left}" x2="${left + PANEL.width}" y1="${y(level)}" y2="${y(level)}" stroke="#ddd"/>` +
      (left === PANEL.left
        ? `<text x="${left - 5}" y="${y(level)}" dy="4" text-anchor="end">${level}</text>`
        : ''),
  );
  const lines = ways.map(({ colour, curves }) => {
    const shared = (curves[0]?.iterations ?? []).filter((t) => curves.every((c) => c.iterations.includes(t)));
    const at = (t: number): number[] =>
      curves.map((curve) => curve.accuracy[series][curve.iterations.indexOf(t)] ?? Number.NaN);
    const mean = shared.map((t) => `${x(t)},${y(at(t).reduce((a, b) => a + b, 0) / curves.length)}`);
    const upper = shared.map((t) => `${x(t)},${y(Math.max(...at(t)))}`);
    const lower = shared.map((t) => `${x(t)},${y(Math.min(...at(t)))}`).reverse();
    return (
      `<polygon points="${[...upper, ...lower].join(' ')}" fill="${colour}" opacity="0.15"/>` +
      `<polyline points="${mean.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`
    );
  });
  return [
    `<text x="${left + PANEL.width / 2}" y="14" text-anchor="middle" font-weight="bold">${series}</text>`,
    ...grid,
    ...lines,
    `<text x="${left + PANEL.width / 2}" y="${PANEL.top + PANEL.height + 16}" text-anchor="middle">iteration (0 to ${last})</text>`,
  ].join('\n');
}
