/** Commands and their results, kept for 30 days so that none is carried out twice (contract K2). */
import type { Command, CommandAnswer } from '../protocol/commands.ts';
import type { CommandRecord, CommandStore } from '../protocol/ports.ts';
import type { Records } from './records.ts';
import type { Row } from './rows.ts';

export function openCommands(records: Records): CommandStore {
  const unfinished = records.query('WHERE answer IS NULL ORDER BY rowid');

  function put(record: CommandRecord): void {
    const answer = record.answer && JSON.stringify(record.answer);
    records.put([
      record.commandId,
      record.acceptedMs,
      record.bodyHash,
      JSON.stringify(record.command),
      answer,
    ]);
  }

  return {
    get(commandId) {
      const row = records.get([commandId]);
      return row ? fromRow(row) : null;
    },
    accept: put,
    finish(commandId, answer) {
      const row = records.get([commandId]);
      if (row) put({ ...fromRow(row), answer });
    },
    forget: (commandId) => records.remove([commandId]),
    pending: () => records.select(unfinished, [], (row) => row.answer === null).map(fromRow),
  };
}

function fromRow(row: Row): CommandRecord {
  return {
    commandId: String(row.command_id),
    bodyHash: String(row.body_hash),
    command: JSON.parse(String(row.command)) as Command,
    acceptedMs: Number(row.accepted_ms),
    answer: row.answer === null ? null : (JSON.parse(String(row.answer)) as CommandAnswer),
  };
}
