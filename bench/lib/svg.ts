// Pictures without a browser: the plot library draws into a document of linkedom's.
import { parseHTML } from 'linkedom';

/** As much of the DOM as is touched here; the compiler's DOM types would make browser globals known to all sources. */
interface Element {
  tagName: string;
  outerHTML: string;
  innerHTML: string;
  querySelector(selector: string): Element | null;
  querySelectorAll(selector: string): Iterable<Element>;
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
}

/** The picture as the text of an SVG file. A legend, which the library draws as HTML, is not part of it. */
export function svgOf(draw: (document: never) => unknown): string {
  const { document } = parseHTML('<html><body></body></html>') as unknown as { document: never };
  const figure = draw(document) as Element;
  const svg = figure.tagName.toLowerCase() === 'svg' ? figure : [...figure.querySelectorAll('svg')].at(-1);
  if (!svg) throw new Error('the plot library made no SVG element');
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return `${svg.outerHTML}\n`;
}
