import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import type { Mapping } from './detail.tsx';
import { inUse } from './spark.tsx';

type Buckets = Mapping['usageHistory'];

const height = 190;

/** Today's use by five minutes, under the seats that there were. What it shows is told in words beside it. */
export function Curve({ buckets, zone }: { readonly buckets: Buckets; readonly zone: Zone }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const { current } = place;
    if (current === null) return;
    const draw = () => new uPlot(optionsFor(current, zone), dataOf(buckets), current);
    let plot = draw();
    const sizes = new ResizeObserver(() => plot.setSize({ width: current.clientWidth, height }));
    // A plot keeps the colours that it was made with.
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    const drawAnew = () => {
      plot.destroy();
      plot = draw();
    };
    sizes.observe(current);
    scheme.addEventListener('change', drawAnew);
    return () => {
      sizes.disconnect();
      scheme.removeEventListener('change', drawAnew);
      plot.destroy();
    };
  }, [buckets, zone]);
  return <div ref={place} aria-hidden="true" />;
}

function dataOf(buckets: Buckets): uPlot.AlignedData {
  // Each step lasts until the next begins, and the last until its end.
  const [last] = buckets.slice(-1);
  const steps = last === undefined ? buckets : [...buckets, { ...last, from: last.until }];
  return [
    steps.map(({ from }) => Date.parse(from) / 1000),
    steps.map(inUse),
    steps.map(({ concurrent }) => concurrent.total),
    steps.map(({ concurrent, contingency }) => concurrent.total + contingency.total),
  ];
}

function optionsFor(element: Element, zone: Zone): uPlot.Options {
  // A canvas knows no custom properties: what they come to is asked of an element.
  const colour = (name: string) => () => {
    const probe = element.appendChild(document.createElement('span'));
    probe.style.color = `var(--${name})`;
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  const { inUse: title, concurrent, all } = words.detail.today;
  const axis: uPlot.Axis = {
    stroke: colour('quiet'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line'), width: 1 },
    font: '12px system-ui, sans-serif',
  };
  return {
    width: element.clientWidth,
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone.name),
    cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.1)] } },
    axes: [
      {
        ...axis,
        values: (_plot, ticks) => ticks.map((tick) => zone.minute(new Date(tick * 1000).toISOString())),
      },
      { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] },
    ],
    series: [
      { value: (_plot, at) => (at === null ? '–' : zone.minute(new Date(at * 1000).toISOString())) },
      {
        label: title,
        stroke: colour('accent'),
        fill: colour('accent-fill'),
        width: 2,
        points: { show: false },
        ...(stepped && { paths: stepped }),
      },
      line(concurrent, colour('good'), stepped),
      line(all, colour('warn'), stepped),
    ],
  };
}

function line(
  label: string,
  stroke: () => string,
  paths: uPlot.Series.PathBuilder | undefined,
): uPlot.Series {
  return { label, stroke, width: 1.5, dash: [6, 4], points: { show: false }, ...(paths && { paths }) };
}
