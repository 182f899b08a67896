import { ApiError } from '#api/error.ts';
import { collectMetrics } from '../../metrics/collect-metrics.ts';
import { openMetricsType } from '../../metrics/open-metrics.ts';
import type { Services } from '../../services.ts';
import type { ApiRequest, Reply, Route } from '../route.ts';

export const metricsRoutes: readonly Route[] = [
  { method: 'GET', path: '/1.0/metrics', access: 'open', handle: showMetrics },
];

async function showMetrics(services: Services, { caller, query, project }: ApiRequest): Promise<Reply> {
  const guarded = services.settings.get('core.metrics_authentication') !== 'false';
  if (guarded && !caller.trusted && !caller.metrics) throw new ApiError('permission-denied', 'Not authorized');
  const asked = query['project'] === undefined ? undefined : [project];
  const allowed = caller.trusted && caller.projects ? caller.projects : undefined;
  const body = await collectMetrics(
    services,
    asked && allowed ? asked.filter(name => allowed.includes(name)) : (asked ?? allowed),
  );
  return { kind: 'raw', headers: { 'content-type': openMetricsType }, body };
}
