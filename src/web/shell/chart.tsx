import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Zone } from './zone.ts';

/** One value over time. */
export interface Series {
  /** In the legend. */
  readonly label: string;
  /** Each holds until the next begins; null: unknown, and not drawn. */
  readonly values: readonly (number | null)[];
  /** The name of a colour of shell.css. */
  readonly colour: string;
  /** Filled: what was; above: the same, on top of the series after it; dashed: what there was at most. */
  readonly look: 'filled' | 'above' | 'dashed';
}

/** One point that is to be noticed. */
export interface Mark {
  readonly at: string;
  readonly value: number;
  readonly label: string;
  /** The name of a colour of shell.css. */
  readonly colour: string;
}

/** What a chart shows. A new one is drawn; the same one is left alone. */
export interface Picture {
  /** The instants at which values begin, and the one at which the last ends: one more than there are values. */
  readonly times: readonly string[];
  readonly series: readonly Series[];
  /** What the axis has, where that is more than the values: time to come is blank. */
  readonly span?: { readonly from: string; readonly until: string };
  readonly mark?: Mark | null;
}

/**
 * Whole numbers over time, in steps. What it shows has to be told in words beside it: it is hidden from who cannot see.
 * @param height in pixels
 */
export function Chart({
  picture,
  zone,
  height,
}: {
  readonly picture: Picture;
  readonly zone: Zone;
  readonly height: number;
}) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const { current } = place;
    if (current === null) return;
    const draw = () => new uPlot(optionsFor(current, picture, zone, height), dataOf(picture), current);
    let plot = draw();
    const sizes = new ResizeObserver(() => plot.setSize({ width: current.clientWidth, height }));
    // A plot keeps the colours that it was made with; paper has others, and so has a system that has its own.
    const schemes = ['(prefers-color-scheme: dark)', 'print', '(forced-colors: active)'].map((each) =>
      matchMedia(each),
    );
    const drawAnew = () => {
      plot.destroy();
      plot = draw();
    };
    sizes.observe(current);
    for (const scheme of schemes) scheme.addEventListener('change', drawAnew);
    return () => {
      sizes.disconnect();
      for (const scheme of schemes) scheme.removeEventListener('change', drawAnew);
      plot.destroy();
    };
  }, [picture, zone, height]);
  return <div ref={place} className="chart" aria-hidden="true" />;
}

function dataOf({ times, series }: Picture): uPlot.AlignedData {
  // The last step lasts until its end.
  return [
    times.map((at) => Date.parse(at) / 1000),
    ...series.map(({ values }) => [...values, ...values.slice(-1)]),
  ];
}

function optionsFor(
  element: Element,
  { series, span, mark }: Picture,
  zone: Zone,
  height: number,
): uPlot.Options {
  // A canvas knows no custom properties: what they come to is asked of an element.
  const computed = (colour: string) => () => {
    const probe = element.appendChild(document.createElement('span'));
    probe.style.color = colour;
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
  const colour = (name: string) => computed(`var(--${name})`);
  const fill = (name: string) => computed(`color-mix(in srgb, var(--${name}) 16%, transparent)`);
  const seconds = (at: string) => Date.parse(at) / 1000;
  const time = (since: number) => new Date(since * 1000).toISOString();
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  const axis: uPlot.Axis = {
    stroke: colour('quiet'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line'), width: 1 },
    font: '12px system-ui, sans-serif',
  };
  const day = 86_400;
  return {
    width: element.clientWidth,
    height,
    tzDate: (since) => uPlot.tzDate(new Date(since * 1000), zone.name),
    cursor: { drag: { x: false, y: false } },
    scales: {
      ...(span && { x: { range: () => [seconds(span.from), seconds(span.until)] } }),
      y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.1)] },
    },
    bands: series.flatMap(({ colour: name, look }, index) =>
      look === 'above' ? [{ series: [index + 1, index + 2] as [number, number], fill: fill(name) }] : [],
    ),
    hooks: { draw: mark == null ? [] : [(plot) => drawMark(plot, mark, seconds(mark.at), colour)] },
    axes: [
      {
        ...axis,
        space: 64,
        values: ({ scales: { x } }, ticks, _index, _space, step) => {
          // Of several days midnights tell which.
          const hasDays = (x?.max ?? 0) - (x?.min ?? 0) > 1.5 * day;
          return ticks.map((tick) => {
            const minute = zone.minute(time(tick));
            return step >= day || (hasDays && minute === '00:00') ? zone.dayOfMonth(time(tick)) : minute;
          });
        },
      },
      { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] },
    ],
    series: [
      { value: (_plot, at) => (at === null ? '–' : zone.moment(time(at))) },
      ...series.map(({ label, colour: name, look }): uPlot.Series => ({
        label,
        stroke: colour(name),
        points: { show: false },
        ...(stepped && { paths: stepped }),
        ...(look === 'dashed' ? { dash: [6, 4], width: 1.5 } : { width: 2 }),
        ...(look === 'filled' && { fill: fill(name) }),
      })),
    ],
  };
}

/** A ring about the point, and its words on the side on which there is room. */
function drawMark(
  { ctx, bbox, valToPos }: uPlot,
  { value, label, colour }: Mark,
  since: number,
  computed: (name: string) => () => string,
): void {
  const scale = devicePixelRatio;
  const [x, y] = [valToPos(since, 'x', true), valToPos(value, 'y', true)];
  ctx.save();
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.arc(x, y, 5 * scale, 0, 2 * Math.PI);
  ctx.lineWidth = 2 * scale;
  ctx.strokeStyle = computed(colour)();
  ctx.fillStyle = computed('sheet')();
  ctx.fill();
  ctx.stroke();
  ctx.font = `600 ${12 * scale}px system-ui, sans-serif`;
  ctx.textBaseline = 'middle';
  const isLeft = x + 10 * scale + ctx.measureText(label).width > bbox.left + bbox.width;
  ctx.textAlign = isLeft ? 'right' : 'left';
  const place = [x + (isLeft ? -10 : 10) * scale, y - 10 * scale] as const;
  // Lines may run behind it.
  ctx.lineWidth = 4 * scale;
  ctx.strokeStyle = computed('sheet')();
  ctx.strokeText(label, ...place);
  ctx.fillStyle = computed('text')();
  ctx.fillText(label, ...place);
  ctx.restore();
}
