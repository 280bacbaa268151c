// The ratios to native as a picture: one line per metric, on a logarithmic axis, recorded and traced side by side.
import * as Plot from '@observablehq/plot';
import { green, legend, logarithmic, red, style } from '../lib/picture.js';
import { svgOf } from '../lib/svg.js';
import type { Row } from './report.js';

const colours = { recorded: green, 'under strace': red };

export function plot(rows: Row[]): string | undefined {
  const shown = rows.filter((r) => r.metric.plotted !== false && r.ratio.recorded);
  if (shown.length === 0) return undefined;
  const points = shown.flatMap((r) => [
    { label: r.metric.label, mode: 'recorded', ...r.ratio.recorded! },
    ...(r.ratio.strace ? [{ label: r.metric.label, mode: 'under strace', ...r.ratio.strace }] : []),
  ]);
  const goals = shown
    .filter((r) => r.metric.goal?.of === 'ratio')
    .map((r) => ({ label: r.metric.label, bound: r.metric.goal!.bound }));
  return svgOf((document) =>
    Plot.plot({
      document,
      width: 1060,
      height: 70 + 24 * shown.length,
      marginLeft: 440,
      marginRight: 30,
      marginBottom: 40,
      style,
      x: { ...logarithmic, label: 'ratio to native (bar: smallest to largest; tick: goal)' },
      y: { label: null, domain: shown.map((r) => r.metric.label), tickSize: 0 },
      color: { domain: Object.keys(colours), range: Object.values(colours) },
      marks: [
        Plot.ruleX([1], { stroke: '#999' }),
        Plot.tickX(goals, { x: 'bound', y: 'label', stroke: '#222', strokeDasharray: '2 2' }),
        Plot.link(points, {
          x1: 'min',
          x2: 'max',
          y1: 'label',
          y2: 'label',
          stroke: 'mode',
          strokeWidth: 2,
          strokeOpacity: 0.5,
        }),
        Plot.dot(points, { x: 'median', y: 'label', fill: 'mode', r: 4 }),
        ...legend(colours, { step: 90, dy: -16 }),
      ],
    }),
  );
}
