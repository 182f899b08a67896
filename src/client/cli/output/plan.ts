import { ApiError } from '#api/error.ts';
import type { Client } from '../../client.ts';
import type { Session } from '../session.ts';

/** A step that a request would take. */
export interface PlanStep {
  readonly action: string;
  readonly object: string;
  readonly detail?: string;
}

/** Sends a request as a plan and prints the steps that it would take. */
export async function printPlan(
  session: Session,
  client: Client,
  method: string,
  path: string,
  body?: unknown,
): Promise<void> {
  const { metadata, operation } = await client.transport.call<readonly PlanStep[]>(method, path, {
    query: { plan: 1 },
    ...(body === undefined ? {} : { body }),
  });
  if (operation || !Array.isArray(metadata)) {
    throw new ApiError('unsupported', 'The server does not know plans: it has carried out the change');
  }
  session.out(renderPlan(metadata));
}

export function renderPlan(steps: readonly PlanStep[]): string {
  if (steps.length === 0) return 'Nothing to do\n';
  const width = Math.max(...steps.map(step => step.action.length));
  return steps
    .map(step => `${step.action.padEnd(width)}  ${step.object}${step.detail ? `  (${step.detail})` : ''}\n`)
    .join('');
}
