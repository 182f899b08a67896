import { instancePath } from '#server/instances/instance-services.ts';
import type { OperationRequest } from '#server/operations/operation.ts';
import type { ApiRequest } from '../route.ts';

/** True for ?plan=1: say what would change and change nothing. */
export function wantsPlan({ query }: ApiRequest): boolean {
  return query['plan'] === '1' || query['plan'] === 'true';
}

/** An operation about instances, for the request that asks for it. */
export function instanceOperation(
  request: ApiRequest,
  description: string,
  names: readonly string[],
): OperationRequest {
  const urls = names.map(instancePath);
  return {
    description,
    project: request.project,
    requestor: request.caller.requestor,
    resources: { instances: urls, containers: urls },
  };
}
