/** Text in columns for a terminal, with colours only where they are wanted. Pure. */

export type Colour = 'green' | 'yellow' | 'red' | 'dim' | 'bold';

/** Colours a text, or leaves it as it is. */
export type Paint = (colour: Colour, text: string) => string;

export const plain: Paint = (_colour, text) => text;

const CODES: Readonly<Record<Colour, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

export const coloured: Paint = (colour, text) => {
  const [on, off] = CODES[colour];
  return text === '' ? text : `\u001b[${on}m${text}\u001b[${off}m`;
};

/** Colours for a person at a terminal, none for a pipe, a file, or one who said NO_COLOR. */
export function paintFor(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): Paint {
  return stream.isTTY && !env.NO_COLOR ? coloured : plain;
}

const ESCAPES = new RegExp(`${'\u001b'}\\[\\d+m`, 'g');

/** How many columns a text takes: its characters, colours left out. */
export function width(text: string): number {
  return [...text.replace(ESCAPES, '')].length;
}

/** Each cell as wide as the widest of its column, two spaces between; the last column ends where its text does. */
export function columns(
  rows: readonly (readonly string[])[],
  align: readonly ('left' | 'right')[] = [],
): string[] {
  const most = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: most }, (_, i) => Math.max(...rows.map((row) => width(row[i] ?? ''))));
  return rows.map((row) =>
    row
      .map((cell, i) => {
        const pad = ' '.repeat((widths[i] ?? 0) - width(cell));
        return align[i] === 'right' ? pad + cell : cell + pad;
      })
      .join('  ')
      .trimEnd(),
  );
}
