/**
 * Rows of the tables as they go in and come out: sealed when they are written, checked against their seal when they
 * are read. Texts are read as bytes: libsql ends the process at a text that is not UTF-8, and one flipped bit makes it so.
 */
import type { Connection, Statement } from './connection.ts';
import { INTEGER_KEYS, type Table } from './schema.ts';
import type { Sealer, SqlValue } from './seal.ts';

export type Row = Record<string, SqlValue>;

/** `SELECT` all columns of a table; `first` is put before them. */
export function selectRows(db: Connection, table: Table, tail: string, first = ''): Statement<Row> {
  const columns = [...table.columns, 'seal'].map((column, i) =>
    i === 0 && INTEGER_KEYS.has(table)
      ? column
      : `CASE typeof(${column}) WHEN 'text' THEN CAST(${column} AS BLOB) ELSE ${column} END AS ${column}`,
  );
  const statement = db.prepare<RawRow>(`SELECT ${first}${columns.join(', ')} FROM ${table.name} ${tail}`);
  return {
    run: (params) => statement.run(params),
    get(params) {
      const row = statement.get(params);
      return row && decoded(row);
    },
    all: (params) => statement.all(params).map(decoded),
  };
}

/** libsql gives bytes as a Buffer from `get` and as an ArrayBuffer from `all`. */
type RawRow = Record<string, SqlValue | ArrayBuffer | Buffer>;

function decoded(row: RawRow): Row {
  for (const column in row) {
    const value = row[column];
    if (value instanceof ArrayBuffer) row[column] = Buffer.from(value).toString('utf8');
    else if (Buffer.isBuffer(value)) row[column] = value.toString('utf8');
  }
  return row as Row;
}

/** Puts rows of one table, sealed; one with the same key is replaced. */
export class SealedTable {
  readonly table: Table;
  readonly #sealer: Sealer;
  readonly #put: Statement<never>;
  readonly #remove: Statement<never>;
  readonly #get: Statement<Row>;

  constructor(db: Connection, table: Table, sealer: Sealer) {
    this.table = table;
    this.#sealer = sealer;
    const { name, columns, keyLength } = table;
    const where = columns
      .slice(0, keyLength)
      .map((c) => `${c} = ?`)
      .join(' AND ');
    const marks = [...columns, 'seal'].map(() => '?').join(', ');
    this.#put = db.prepare(`INSERT OR REPLACE INTO ${name} VALUES (${marks})`);
    this.#remove = db.prepare(`DELETE FROM ${name} WHERE ${where}`);
    this.#get = selectRows(db, table, `WHERE ${where}`);
  }

  put(values: readonly SqlValue[]): void {
    this.#put.run([...values, this.#sealer.seal(this.table.name, values)]);
  }

  remove(key: readonly SqlValue[]): void {
    this.#remove.run(key);
  }

  get(key: readonly SqlValue[]): Row | undefined {
    return this.#get.get(key);
  }
}

/** Whether a row is the one that was written. */
export function isWhole(table: Table, row: Row, sealer: Sealer): boolean {
  const values = table.columns.map((c) => row[c] ?? null);
  return row.seal === sealer.seal(table.name, values);
}
