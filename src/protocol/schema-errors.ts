/** zod's issues as the `path: message` pairs that this project shows everywhere. */
import * as z from 'zod/mini';
import type { FieldError } from './problems.ts';

z.config(z.locales.en());

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
    return [{ path: dotted(issue.path), message: issue.message }];
  });
}

/** Of a union's branches the one that the input came closest to: it went deepest before it failed. */
function nearestBranch(issue: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue[] | undefined {
  const deep = issue.errors.filter((branch) =>
    branch.some((i) => i.path.length > 0 || i.code !== 'invalid_type'),
  );
  return deep[0];
}

function dotted(path: readonly PropertyKey[]): string {
  return path.length === 0 ? '$' : path.map(String).join('.');
}

function join(head: string, tail: string): string {
  if (tail === '$') return head;
  return head === '$' ? tail : `${head}.${tail}`;
}
