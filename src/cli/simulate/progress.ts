import { Presets, SingleBar } from 'cli-progress';

/** How far one stage of the simulation has come: a bar on a terminal, a plain line each tenth elsewhere. */
export interface Progress {
  /** @param done of the stage's total; may repeat, never falls */
  update(done: number, note: string): void;
  end(): void;
}

export function showProgress(title: string, total: number, output: NodeJS.WriteStream): Progress {
  return output.isTTY ? showBar(title, total, output) : showLines(title, total, output);
}

function showBar(title: string, total: number, stream: NodeJS.WriteStream): Progress {
  const format = `${title.padEnd(9)} {bar} {percentage} %  {note}`;
  const bar = new SingleBar(
    { format, stream, barsize: 30, fps: 8, hideCursor: true },
    Presets.shades_classic,
  );
  bar.start(total, 0, { note: '' });
  return {
    update: (done, note) => bar.update(done, { note }),
    end: () => bar.stop(),
  };
}

function showLines(title: string, total: number, output: NodeJS.WriteStream): Progress {
  let tenth = 0;
  return {
    update: (done, note) => {
      const reached = Math.floor((10 * done) / total);
      if (reached <= tenth) return;
      tenth = reached;
      output.write(`${title.padEnd(9)} ${String(reached * 10).padStart(3)} %  ${note}\n`);
    },
    end: () => undefined,
  };
}
