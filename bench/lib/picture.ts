// What all pictures have in common: their looks, a logarithmic axis that shows plain numbers, and the names of the colours inside the frame.
//
// Must not: know what any picture is about.
import * as Plot from '@observablehq/plot';

/** Ours, what it is compared with where that is worse, and what is there without us. */
export const green = '#1b7f5c';
export const red = '#c2452d';
export const grey = '#8a8f98';

export const style = { background: 'white', color: '#222', fontFamily: 'sans-serif', fontSize: '12px' };

export const logarithmic = { type: 'log', grid: true, tickFormat: (d: number) => `${d}` } as const;

/** Each name in its colour, from the top left corner rightwards. The library's own legend is HTML, which an SVG file cannot hold. */
export function legend(colours: Record<string, string>, place: { step: number; dx?: number; dy: number }): Plot.Text[] {
  return Object.entries(colours).map(([name, fill], i) =>
    Plot.text([name], {
      frameAnchor: 'top-left',
      dx: place.step * i + (place.dx ?? 0),
      dy: place.dy,
      fill,
      fontWeight: 'bold',
    }),
  );
}
