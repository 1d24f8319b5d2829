/** Tables as Keras 3 prints them, which draws them with the Python library rich. */

export interface TableColumn {
  readonly title: string;
  /** Where it ends, as a share of the width. */
  readonly end: number;
  /** What frame and padding take of its share. */
  readonly frame: number;
  readonly right?: boolean;
}

/** Cuts what is too long for a line. */
const cut = (text: string, width: number): string =>
  text.length > width ? `${text.slice(0, width - 1)}…` : text;

/** Lines of at most `width`, broken at spaces; a longer word is cut. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  // The spaces that lead belong to the first word: they show how deep a layer lies.
  for (const word of text.match(/^ *└ \S+|\S+/g) ?? ['']) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (longer.length > width && line !== '') {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line].map((own) => cut(own, width));
}

export function drawTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  width: number,
): string[] {
  const ends = columns.map(({ end }) => Math.trunc(end * width));
  const widths = columns.map(({ frame }, index) => (ends[index] as number) - (ends[index - 1] ?? 0) - frame);
  const rule = (left: string, line: string, cross: string, right: string): string =>
    `${left}${widths.map((own) => line.repeat(own + 2)).join(cross)}${right}`;
  const row = (cells: readonly string[], bar: string): string[] => {
    const lines = cells.map((cell, index) => wrapped(cell, widths[index] as number));
    const height = Math.max(...lines.map(({ length }) => length));
    return Array.from({ length: height }, (_, at) => {
      const parts = lines.map((own, index) => {
        const text = own[at] ?? '';
        const space = widths[index] as number;
        return columns[index]?.right ? text.padStart(space) : text.padEnd(space);
      });
      return `${bar} ${parts.join(` ${bar} `)} ${bar}`;
    });
  };
  const titles = columns.map(({ title }) => title);
  return [
    rule('┏', '━', '┳', '┓'),
    ...row(titles, '┃'),
    rule('┡', '━', '╇', '┩'),
    ...rows.flatMap((cells, index) => [...(index > 0 ? [rule('├', '─', '┼', '┤')] : []), ...row(cells, '│')]),
    rule('└', '─', '┴', '┘'),
  ];
}
