/** What the README says of one run: a paragraph between two marks, each number from the run's measures. Pure. */
import type { Results } from './results.ts';
import { figure } from './text.ts';

const BEGIN = '<!-- from bench/RESULTS.md, by npm run bench:results -->';
const END = '<!-- end -->';

export function headline({ machine, measures }: Results): string {
  const say = (id: string): string => {
    const measure = measures.find((m) => m.id === id);
    if (measure?.value == null) throw new Error(`the run has no ${id}: the README wants a whole run`);
    return figure(measure.value, measure.unit);
  };
  return [
    `On a machine with ${machine.cores} cores and 300 other processes a desktop client hears of a start ${say('detect.latency.start.p50')} (median)`,
    `after the kernel's own stamp, where an agent that polls takes ${say('peers.latency.ps-list.start.p50')} (ps-list every second) or ${say('peers.latency.psutil.start.p50')} (psutil every`,
    `2 s); of 200 games that live 5 ms it is told of ${say('detect.short-lived.starts')}. Idle the agent takes ${say('detect.idle.proc-events.cpu')} of a core, and ${say('runtime.whole.rss')} with a`,
    'client connected.',
  ].join('\n');
}

/** The page with the paragraph between its marks put in anew. */
export function withHeadline(page: string, paragraph: string): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the page has no place for it: ${BEGIN} … ${END}`);
  return `${page.slice(0, from + BEGIN.length)}\n${paragraph}\n${page.slice(to)}`;
}
