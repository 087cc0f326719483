/** zod's issues as the `path: message` pairs that this project shows everywhere. */
import { en } from 'zod/locales';
import * as z from 'zod/mini';
import type { FieldError } from './problems.ts';

z.config(en());

/** Every issue as a dotted path and a message; unknown keys are told one by one, at their own path. */
export function fieldErrors(issues: readonly z.core.$ZodIssue[]): FieldError[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: dotted([...issue.path, key]), message: 'unknown key' }));
    }
    if (issue.code === 'invalid_union') {
      const nearest = nearestBranch(issue);
      if (nearest) {
        return fieldErrors(nearest).map((e) => ({ ...e, path: join(dotted(issue.path), e.path) }));
      }
    }
    // A key that cannot be one: what is wrong with it, not that something is.
    if (issue.code === 'invalid_key') {
      return issue.issues.map(({ message }) => ({ path: dotted(issue.path), message }));
    }
    const missing = issue.code === 'invalid_type' && issue.expected === 'nonoptional';
    return [{ path: dotted(issue.path), message: missing ? 'is missing' : issue.message }];
  });
}

/**
 * Of a union's branches the one that the input came closest to: one that it went into before it failed, else one
 * whose type it had. None: it is nothing of what the union names, and the union's own message says so.
 */
function nearestBranch(issue: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue[] | undefined {
  const isOther = ({ code }: z.core.$ZodIssue) => code === 'invalid_type' || code === 'invalid_value';
  return (
    issue.errors.find((branch) => branch.some((i) => i.path.length > 0)) ??
    issue.errors.find((branch) => !branch.some(isOther))
  );
}

function dotted(path: readonly PropertyKey[]): string {
  return path.length === 0 ? '$' : path.map(String).join('.');
}

function join(head: string, tail: string): string {
  if (tail === '$') return head;
  return head === '$' ? tail : `${head}.${tail}`;
}
