import { ApiError } from '#api/error.ts';
import type { Client } from '../../client.ts';
import type { Query } from '../../transport.ts';
import type { Session } from '../session.ts';

/** A step that a request would take. */
export interface PlanStep {
  readonly action: string;
  readonly object: string;
  readonly detail?: string;
}

/** API extension of servers whose instance endpoints take `?plan=1`. */
const planExtension = 'instance_plan';

/** Sends a request as a plan and prints the steps that it would take. */
export async function printPlan(
  session: Session,
  client: Client,
  method: string,
  path: string,
  { body, query = {} }: { readonly body?: unknown; readonly query?: Query } = {},
): Promise<void> {
  const { value } = await client.server.get();
  // A server that does not know plans would carry the request out.
  if (!value.api_extensions.includes(planExtension)) {
    throw new ApiError('unsupported', 'The server cannot tell what it would do: nothing was done');
  }
  const { metadata } = await client.transport.call<{ readonly plan: readonly PlanStep[] }>(method, path, {
    query: { ...query, plan: 1 },
    ...(body === undefined ? {} : { body }),
  });
  session.out(renderPlan(metadata.plan));
}

export function renderPlan(steps: readonly PlanStep[]): string {
  if (steps.length === 0) return 'Nothing to do\n';
  const width = Math.max(...steps.map(step => step.action.length));
  return steps
    .map(step => `${step.action.padEnd(width)}  ${step.object}${step.detail ? `  (${step.detail})` : ''}\n`)
    .join('');
}
