/**
 * Reading and writing sealed rows through the writer: a row that waits for the disk is seen as it will be. What all
 * small tables share; each table's own file says what its rows mean.
 */
import type { Connection, Statement } from './connection.ts';
import { isWhole, type Row, SealedTable, selectRows } from './rows.ts';
import type { Table } from './schema.ts';
import type { Sealer, SqlValue } from './seal.ts';

/** What a table needs of the writer. */
export interface RowWriter {
  write(key: string, value: unknown, run: () => void): void;
  waiting(key: string): { readonly value: unknown } | undefined;
  waitingLike(prefix: string): readonly { readonly key: string; readonly value: unknown }[];
}

export class Records {
  readonly #db: Connection;
  readonly #writer: RowWriter;
  readonly #table: Table;
  readonly #sealer: Sealer;
  readonly #rows: SealedTable;

  constructor(db: Connection, writer: RowWriter, sealer: Sealer, table: Table) {
    this.#db = db;
    this.#writer = writer;
    this.#sealer = sealer;
    this.#table = table;
    this.#rows = new SealedTable(db, table, sealer);
  }

  put(values: readonly SqlValue[]): void {
    this.#writer.write(this.#key(values), this.#asRow(values), () => this.#rows.put(values));
  }

  remove(key: readonly SqlValue[]): void {
    this.#writer.write(this.#key(key), undefined, () => this.#rows.remove(key));
  }

  /** The row as it stands; a row that does not hold any more is none. */
  get(key: readonly SqlValue[]): Row | undefined {
    const waiting = this.#writer.waiting(this.#key(key));
    if (waiting) return waiting.value as Row | undefined;
    const row = this.#rows.get(key);
    return row && isWhole(this.#table, row, this.#sealer) ? row : undefined;
  }

  /** A query over this table, with what follows its FROM, for `select`. */
  query(tail: string): Statement<Row> {
    return selectRows(this.#db, this.#table, tail);
  }

  /** The whole rows of a query, and in their place or beside them those that wait and fit. */
  select(
    query: Statement<Row>,
    params: readonly SqlValue[] = [],
    fits: (row: Row) => boolean = () => true,
  ): Row[] {
    const rows = query.all(params).filter((row) => isWhole(this.#table, row, this.#sealer));
    const waiting = this.#writer.waitingLike(`${this.#table.name}\0`);
    if (waiting.length === 0) return rows;
    const keys = new Set(waiting.map((w) => w.key));
    const newer = waiting.flatMap((w) => (w.value === undefined ? [] : [w.value as Row]));
    return [...rows.filter((row) => !keys.has(this.#rowKey(row))), ...newer.filter(fits)];
  }

  /** Whether rows of this table wait for the disk: then only `get` and `select` know how it stands. */
  get waits(): boolean {
    return this.#writer.waitingLike(`${this.#table.name}\0`).length > 0;
  }

  /** Counts the rows of a query without reading them or their seals; not what waits. */
  counter(tail: string): () => number {
    const statement = this.#db.prepare<{ n: number }>(
      `SELECT count(*) AS n FROM ${this.#table.name} ${tail}`,
    );
    return () => statement.get([])?.n ?? 0;
  }

  #key(values: readonly SqlValue[]): string {
    return [this.#table.name, ...values.slice(0, this.#table.keyLength)].join('\0');
  }

  #rowKey(row: Row): string {
    return this.#key(this.#table.columns.map((c) => row[c] ?? null));
  }

  #asRow(values: readonly SqlValue[]): Row {
    return Object.fromEntries(this.#table.columns.map((c, i) => [c, values[i] ?? null]));
  }
}
